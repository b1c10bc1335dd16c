/* Lets calls on some files fail with EIO while a file says so. Preloaded into PostgreSQL by a test.

   FAILING_CALLS names that file. It has a kind of call, a part of the paths of the files, and how
   many of a thousand calls fail: "sync /pg_wal/ 1000". */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int is_failing(const char *kind, int fd)
{
    int saved_errno = errno, per_thousand = 0, control;
    char text[256] = "", wanted[32] = "", part[128] = "", link[64], path[4096] = "";
    const char *name = getenv("FAILING_CALLS");
    struct timespec now;

    control = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (control >= 0) {
        if (read(control, text, sizeof text - 1) > 0)
            sscanf(text, "%31s %127s %d", wanted, part, &per_thousand);
        close(control);
    }
    if (strcmp(wanted, kind) == 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, path, sizeof path - 1) < 0 || !strstr(path, part))
            per_thousand = 0;
    } else
        per_thousand = 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    errno = saved_errno;
    return now.tv_nsec / 1000 % 1000 < per_thousand;
}

#define WRAP(result, kind, name, parameters, arguments)                                            \
    result name parameters                                                                         \
    {                                                                                              \
        static result(*real) parameters;                                                           \
        if (is_failing(kind, fd)) {                                                                \
            errno = EIO;                                                                           \
            return -1;                                                                             \
        }                                                                                          \
        if (!real)                                                                                 \
            real = (result(*) parameters)dlsym(RTLD_NEXT, #name);                                  \
        return real arguments;                                                                     \
    }

WRAP(int, "sync", fsync, (int fd), (fd))
WRAP(int, "sync", fdatasync, (int fd), (fd))
WRAP(ssize_t, "read", pread, (int fd, void *to, size_t n, off_t at), (fd, to, n, at))
WRAP(ssize_t, "read", pread64, (int fd, void *to, size_t n, off64_t at), (fd, to, n, at))
WRAP(ssize_t, "read", preadv, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
WRAP(ssize_t, "read", preadv64, (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at))
WRAP(ssize_t, "write", pwrite, (int fd, const void *from, size_t n, off_t at), (fd, from, n, at))
WRAP(ssize_t, "write", pwrite64, (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at))
WRAP(ssize_t, "write", pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
WRAP(ssize_t, "write", pwritev64, (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at))
