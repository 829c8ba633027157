# Postrider, from source.
#
#   docker build -t postrider .
#   docker run -p 127.0.0.1:8742:8742 -v postrider:/data \
#       -e POSTRIDER_LISTEN=0.0.0.0:8742 -e POSTRIDER_INSECURE_NO_AUTH=true postrider
#
# Within its own network a container serves an address that others reach, so it has to be told that no key is asked
# for: publish the port for this machine alone.
#
# Any builder builds it. Both base images can be replaced: RUST_IMAGE by one with Rust 1.95, a C compiler, make,
# pkg-config and OpenSSL's headers, BASE_IMAGE by any Debian 12.
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

# What the program runs in: OpenSSL for Kafka's client, the authorities that vouch for receivers, and nobody who
# is root. A base that has both packages needs no mirror.
FROM ${BASE_IMAGE} AS runtime
RUN dpkg --status libssl3 ca-certificates >/dev/null 2>&1 \
    || { apt-get update \
        && apt-get install --yes --no-install-recommends libssl3 ca-certificates \
        && rm -rf /var/lib/apt/lists/*; }
RUN useradd --system --uid 10001 --no-create-home --home-dir /data postrider \
    && install --directory --owner postrider --mode 0700 /data /keys
COPY compose/ready compose/key /usr/local/bin/
USER postrider
WORKDIR /data
VOLUME /data
ENV POSTRIDER_DATA=/data
EXPOSE 8742
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["/usr/local/bin/ready"]
ENTRYPOINT ["/usr/local/bin/postrider"]
CMD ["serve"]

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package postrider \
    && install --strip -D target/release/postrider /out/postrider

FROM runtime
COPY --from=build /out/postrider /usr/local/bin/postrider
