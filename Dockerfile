# One image for both services and for the migrations; docker-compose.yml says which of them a container runs. The target
# `gateway` has Envoy on top.
FROM python:3.12-slim AS services

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements/runtime.txt requirements/
RUN pip install --require-hashes --only-binary :all: -r requirements/runtime.txt

COPY protos protos
COPY shared shared
COPY identity_service identity_service
COPY tenancy_service tenancy_service
COPY tenantry tenantry
COPY migrations migrations
RUN python -m compileall -q . && useradd --system --uid 10001 --no-create-home tenantry \
    && install -d -o tenantry -m 700 /var/lib/tenantry/mail

USER tenantry
CMD ["python", "-m", "tenantry", "--help"]

FROM services AS gateway
USER root
COPY requirements/gateway.txt requirements/
RUN pip install --require-hashes --only-binary :all: -r requirements/gateway.txt
COPY gateway gateway
COPY docs/openapi.json docs/
USER tenantry
CMD ["python", "-m", "tenantry", "gateway"]

# What `docker build .` makes without a target.
FROM services
