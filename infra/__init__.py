"""The outgoing adapters: a folder for each technology, named by it.

Importing it limits OpenBLAS, on which numpy multiplies, to the calling thread. Before a fork,
OpenBLAS joins its threads, and it misses one that is just going to sleep: the fork, and with it the
process, then waits without end. The embedded PostgreSQL is started by a fork where it runs as
another user.
"""

from __future__ import annotations

import os

# numpy reads it when it is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
