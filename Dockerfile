# One image for every service: docker build --build-arg SERVICES="ingest" -t cbi/ingest .
# BASE is any Debian with Python 3.11 as python3; without a registry deploy/standin makes one.
# KIND is common, or nets for what fits nets; whoever only forecasts with them needs no TensorFlow.
ARG BASE=python:3.11-slim-bookworm
ARG KIND=common

# What all services share is one layer of every image, so that ten images cost little more than one.
FROM ${BASE} AS common
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt /src/
# The versions are pinned for Linux on x86-64; a container on a Mac is Linux on ARM, and takes the same.
RUN --mount=type=cache,target=/root/.cache \
    sed -i "s/'x86_64'/'$(uname -m)'/g" /src/constraints.txt && \
    python3 -m venv /tools && /tools/bin/pip install --quiet -c /src/constraints.txt uv && python3 -m venv --without-pip /app
COPY libs/cbi_common/pyproject.toml /src/libs/cbi_common/
# dumb-init is process 1: Python there would ignore SIGTERM until it has a handler, and would bury no orphans.
RUN --mount=type=cache,target=/root/.cache \
    /tools/bin/uv pip install --quiet --python /app/bin/python -c /src/constraints.txt \
      dumb-init==1.2.5.post1 -r /src/libs/cbi_common/pyproject.toml && \
    cd /app/lib/python3*/site-packages && rm -rf pandas/tests pyarrow/tests pyarrow/include && \
    find numpy scipy -type d -name tests -prune -exec rm -rf {} +

# TensorFlow is as much as all the rest: a layer of its own, for the one that fits nets.
FROM common AS nets
COPY services/trainer-metal/pyproject.toml /src/nets/
RUN --mount=type=cache,target=/root/.cache touch /before && \
    sed -n '/^dependencies/,/]$/p' /src/nets/pyproject.toml | grep -oE '"(tensorflow|keras)[^"]*"' | tr -d '"' >/src/nets.txt && \
    /tools/bin/uv pip install --quiet --python /app/bin/python -c /src/constraints.txt -r /src/nets.txt && \
    rm -rf /app/lib/python3*/site-packages/tensorflow/include && \
    mkdir /nets && find /app -cnewer /before \( -type f -o -type l \) -print0 | tar --null -T - -cf - | tar -xf - -C /nets

FROM ${KIND} AS built
ARG SERVICES
ARG KIND
COPY libs /src/libs
COPY services /src/services
RUN --mount=type=cache,target=/root/.cache touch /before /src/without.txt && \
    if [ "${KIND}" = common ]; then printf '%s ; python_version < "3"\n' tensorflow-cpu tensorflow keras keras-tuner >/src/without.txt; fi && \
    /tools/bin/uv pip install --quiet --python /app/bin/python -c /src/constraints.txt --overrides /src/without.txt \
      /src/libs/cbi_common $(for service in ${SERVICES}; do echo /src/services/${service}; done) && \
    mkdir /own && find /app -cnewer /before \( -type f -o -type l \) -print0 | tar --null -T - -cf - | tar -xf - -C /own

# No compiler, no pip, no shell history; nobody in it may write anywhere but in the volumes and /tmp.
FROM ${BASE} AS runtime
RUN rm -rf /usr/lib/python3*/ensurepip /usr/local/lib/python3*/ensurepip /usr/share/python-wheels /usr/bin/pip* \
      /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/lib/python3/dist-packages/pip* && \
    mkdir /lake && chown 10000:10000 /lake
COPY --from=common /app /app

FROM runtime AS runtime-common
FROM runtime AS runtime-nets
COPY --from=nets /nets/app /app

FROM runtime-${KIND}
ARG SERVICES
COPY --from=built /own/app /app
ENV PATH=/app/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    CBI_LAKE=/lake CBI_OPS_PORT=9100 CBI_OPS_HOST=0.0.0.0 CBI_LOG_FORMAT=json
LABEL org.opencontainers.image.title="cbi ${SERVICES}"
USER 10000:10000
VOLUME /lake
EXPOSE 9100
HEALTHCHECK --interval=10s --timeout=8s --start-period=60s --retries=6 \
  CMD ["python", "-S", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9100/health/ready', timeout=6)"]
ENTRYPOINT ["dumb-init", "--single-child", "--", "cbi"]
