# One image for every role: `docker run perptape:0.1.0 feed`, `gateway`, `migrate up`, ...
# Redis and Postgres are containers of their own; the embedded ones are not for here.
FROM python:3.11.11-slim-bookworm AS packages

WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/perptape \
    && /opt/perptape/bin/pip install --no-cache-dir --disable-pip-version-check \
        --no-deps --only-binary :all: --require-hashes -r requirements.lock \
    && echo /app > /opt/perptape/lib/python3.11/site-packages/perptape.pth

FROM python:3.11.11-slim-bookworm

RUN groupadd --gid 10001 perptape \
    && useradd --uid 10001 --gid perptape --no-create-home --home-dir /data perptape \
    && install -d -o perptape -g perptape -m 0700 /data

COPY --from=packages /opt/perptape /opt/perptape
WORKDIR /app
COPY domain domain
COPY execution execution
COPY runtime runtime
COPY connectors connectors
COPY db db
COPY migrations migrations
COPY aggregator aggregator
COPY api api
COPY perptape perptape
COPY sandbox sandbox
COPY web/dist web/dist
RUN /opt/perptape/bin/python -m compileall -q /app

ENV PATH=/opt/perptape/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PERP_HTTP_HOST=0.0.0.0 \
    PERP_METRICS_HOST=0.0.0.0 \
    PERP_DATA_DIR=/data

USER perptape
EXPOSE 8000 9464

# Every role has a page of metrics; compose asks gateways whether they are ready.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/metrics', timeout=2)"]

ENTRYPOINT ["python", "-P", "-m", "perptape"]
CMD ["gateway"]
