# The server of Pictograph. It needs only a key: docker run -e PICTOGRAPH_API_KEY=... -p 8000:8000 IMAGE
#
# To pin the base images, build with their digests, and renew these for security updates:
#   docker buildx imagetools inspect python:3.11-slim-bookworm   # prints the current digest
#   docker build --build-arg PYTHON_IMAGE=python@sha256:... --build-arg NODE_IMAGE=node@sha256:... .
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS node

# What changes rarely: the dependencies, in a virtual environment apart from the sources.
FROM ${PYTHON_IMAGE} AS dependencies
# cpu takes torch from TORCH_INDEX_URL, an index of CPU builds that PyTorch's site names. cuda takes it
# from the usual index, with gigabytes of CUDA libraries.
ARG TORCH=cpu
ARG TORCH_INDEX_URL=""
RUN if [ "$TORCH" = cpu ] && [ -z "$TORCH_INDEX_URL" ]; then \
        echo "Set the build argument TORCH_INDEX_URL to the index of CPU builds that PyTorch's site names, or TORCH to cuda." >&2; exit 1; \
    fi
WORKDIR /src
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml constraints.txt ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    if [ "$TORCH" = cpu ]; then \
        pip install --no-deps --index-url "$TORCH_INDEX_URL" --constraint constraints.txt torch; \
    fi && \
    pip install --constraint constraints.txt --requirement requirements.txt

FROM dependencies AS build
# For npm, which fetches the files of GraphiQL. The last stage has no Node.js.
COPY --from=node /usr/local/bin /usr/local/bin
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --target /app .
WORKDIR /app
RUN python -m graph.http.fetch_graphiql && python -m compileall -q .

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin pictograph && \
    install --directory --owner=pictograph --group=pictograph /data /models
COPY --from=dependencies /venv /venv
COPY --from=build /app /app
ENV PATH=/app/bin:/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/models \
    PICTOGRAPH_MODEL_CACHE=/models/converted \
    PICTOGRAPH_HOST=0.0.0.0 \
    PICTOGRAPH_DATA_DIR=/data
# Numeric, so that orchestrators can verify that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME ["/data", "/models"]
EXPOSE 8000
# The first start downloads the model before the server listens. Orchestrators that can wait for more
# ask /readyz, which also fails while the database is away: a restart of the server would not help.
HEALTHCHECK --start-period=10m --start-interval=2s --interval=15s --timeout=5s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('PICTOGRAPH_PORT') or 8000), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
CMD ["pictograph", "serve"]
