# The server of Pictograph. It needs only a key: docker run -e PICTOGRAPH_API_KEY=... -p 8000:8000 IMAGE

FROM python:3.11-slim-bookworm AS build
# An index of CPU builds of torch, which PyTorch documents. If it is empty, torch is installed with
# the other dependencies.
ARG TORCH_INDEX_URL=""
WORKDIR /app
# For npm, which fetches the files of GraphiQL. The second stage has no Node.js.
COPY --from=node:24-bookworm-slim /usr/local/bin /usr/local/bin
COPY --from=node:24-bookworm-slim /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN python -m venv .venv
ENV PATH=/app/.venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1

# Dependencies first: they stay cached while only the sources change.
COPY pyproject.toml constraints.txt ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    if [ -n "$TORCH_INDEX_URL" ]; then \
        pip install --no-deps --index-url "$TORCH_INDEX_URL" --constraint constraints.txt torch; \
    fi && \
    pip install --constraint constraints.txt --requirement requirements.txt

# Editable, as in the tests, so that the image does not depend on the contents of a wheel.
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --editable . && \
    python -m graph.http.fetch_graphiql && \
    python -m compileall -q -x '/\.venv/' .

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin pictograph && \
    install --directory --owner=pictograph --group=pictograph /data /models
COPY --from=build /app /app
ENV PATH=/app/.venv/bin:$PATH \
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
# The first start downloads the model before the server listens.
HEALTHCHECK --start-period=10m --start-interval=2s --interval=15s --timeout=5s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('PICTOGRAPH_PORT') or 8000), timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
CMD ["pictograph", "serve"]
