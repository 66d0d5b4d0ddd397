# PostgreSQL with the extension eventcore. From the root of the repository, for Docker or Compose:
#   docker build --file examples/orders/deploy/postgres.Dockerfile --target server --tag registry.example/postgres:18-eventcore .
# and for CloudNativePG, with `--target cloudnative-pg`.
FROM rust:1.95-bookworm AS build
# PostgreSQL's own packages: Debian 12 has PostgreSQL 15 alone.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates postgresql-common libclang-dev \
 && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
 && apt-get install -y --no-install-recommends postgresql-server-dev-18 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo xtask install --pg-config /usr/lib/postgresql/18/bin/pg_config --destdir /package

FROM postgres:18-bookworm AS server
COPY --from=build /package/ /
CMD ["postgres", "-c", "shared_preload_libraries=eventcore", "-c", "max_worker_processes=16"]

# The settings come from kubernetes/cluster.yaml.
FROM ghcr.io/cloudnative-pg/postgresql:18-standard-bookworm AS cloudnative-pg
COPY --from=build /package/ /
