# The hub in a container: built from this folder, run by a user who may write to /data and to nothing else.
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin jackfield

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --create-home jackfield \
    && install --directory --owner jackfield --group jackfield --mode 0700 /data/blobs
COPY --from=build /src/target/release/jackfield /usr/local/bin/jackfield
USER 10001:10001
VOLUME /data
ENV JACKFIELD_DATA=/data \
    JACKFIELD_LISTEN=0.0.0.0:8420 \
    JACKFIELD_METRICS__LISTEN=0.0.0.0:8421 \
    JACKFIELD_LOG__FORMAT=json
EXPOSE 8420 8421
STOPSIGNAL SIGTERM
ENTRYPOINT ["jackfield"]
CMD ["serve"]
