# The service `orders`. From the root of the repository:
#   docker build --file examples/orders/deploy/orders.Dockerfile --tag registry.example/orders:1.0.0 .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package orders

FROM debian:bookworm-slim
# For TLS to the database and to partners.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/orders /usr/local/bin/orders
USER 65532:65532
ENV HOST=0.0.0.0 PORT=3000
EXPOSE 3000
# It ends at SIGTERM, after the requests under way.
ENTRYPOINT ["/usr/local/bin/orders"]
