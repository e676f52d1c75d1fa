# Builds the gate and puts it, alone, into a small image that runs without privileges.
#
#   docker build -t portcullis .
#   docker run --rm -v gate:/gate portcullis init /gate --listen 0.0.0.0:5443 --upstream URL
#   docker run -d -v gate:/gate -p 5443:5443 portcullis

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package portcullis --bin portcullis \
 && strip --strip-unneeded target/release/portcullis

FROM debian:bookworm-slim
# To verify an upstream behind a public certificate.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
# The number is fixed, so that volumes of an older image still belong to the user of a newer one.
RUN groupadd --gid 10001 portcullis \
 && useradd --uid 10001 --gid portcullis --no-create-home --home-dir /gate \
            --shell /usr/sbin/nologin portcullis \
 && install --directory --owner=portcullis --group=portcullis --mode=0750 /gate
COPY --from=build /source/target/release/portcullis /usr/local/bin/portcullis

USER 10001:10001
# Configuration, certificates, policies, users, keys and audit trail.
VOLUME ["/gate"]
EXPOSE 5443
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s --retries=3 \
  CMD ["portcullis", "healthcheck", "--config", "/gate/portcullis.yaml"]
ENTRYPOINT ["portcullis"]
CMD ["serve", "--config", "/gate/portcullis.yaml"]
