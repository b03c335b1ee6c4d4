# The images of agent-utils: docker build --target worker|gateway|standin .
# Where no registry of images can be reached: scripts/images.
#
# Each has only programs, the libraries that they load, certificates and licences;
# its /usr/share/agent-utils/sbom.spdx.json lists which file is from which package.
# With the same packages and SOURCE_DATE_EPOCH two builds give the same bytes.
ARG DEBIAN=debian:bookworm-20260824-slim

FROM ${DEBIAN} AS tools
ENV DEBIAN_FRONTEND=noninteractive
COPY scripts/install-deps scripts/progress /src/scripts/
# upgraded, so that the images have today's fixes; and no installation starts a
# service
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && \
	chmod +x /usr/sbin/policy-rc.d && apt-get -q update && \
	apt-get -q -y upgrade && /src/scripts/install-deps dockerfile

# Debian's libcurl speaks LDAP, SSH and RTMP too, which costs 30 libraries, 10 MB,
# and 5 ms at each start.
FROM tools AS curl
COPY scripts/image-curl /src/scripts/
RUN /src/scripts/image-curl /opt/curl

# The packages of the page change seldom, so they are a layer of their own. Where
# the registries need a certificate of your own, it is given as a secret.
FROM tools AS page
WORKDIR /src
COPY scripts/web-build scripts/
COPY cmd/web/package.json cmd/web/package-lock.json cmd/web/.npmrc cmd/web/
RUN --mount=type=secret,id=certificates \
	[ ! -e /run/secrets/certificates ] || \
	export PIP_CERT=/run/secrets/certificates NODE_EXTRA_CA_CERTS=/run/secrets/certificates; \
	scripts/web-build node --version
COPY cmd/web cmd/web
RUN scripts/web-build

FROM curl AS programs
WORKDIR /src
COPY . .
RUN make -s -j "$(nproc)" CFLAGS=-O2 all && \
	make -s install PREFIX=/usr DESTDIR=/built && \
	rm -r /built/usr/share/man && mkdir /store

FROM programs AS worker-root
ARG SOURCE_DATE_EPOCH=0
RUN mkdir /root-fs && cp -a /built/usr /root-fs/ && cd /root-fs/usr && \
	rm bin/agent-standin bin/agent-gateway bin/agent-exporter && \
	cd share/agent-utils && rm -r errors openapi.json *.conf && \
	/src/scripts/image-root /root-fs /usr/share/zoneinfo/[A-Z]*

FROM programs AS gateway-root
ARG SOURCE_DATE_EPOCH=0
COPY --from=page /src/cmd/web/out /built/usr/share/agent-utils/web
RUN mkdir /root-fs && cp -a /built/usr /root-fs/ && \
	rm /root-fs/usr/bin/agent-worker /root-fs/usr/bin/agent-standin && \
	install cmd/gateway/serve /root-fs/usr/bin/agent-serve && \
	scripts/image-root /root-fs /usr/sbin/lighttpd /usr/lib/lighttpd/*.so \
		/bin/sh /bin/cat /bin/ln /bin/mkdir /bin/sed /usr/bin/env \
		/usr/share/zoneinfo/[A-Z]*

FROM programs AS standin-root
ARG SOURCE_DATE_EPOCH=0
RUN mkdir -p /root-fs/usr/bin /root-fs/usr/share/agent-utils && \
	cp /built/usr/bin/agent-standin /root-fs/usr/bin/ && \
	cp scripts/examples/standin-triage.yaml tests/data/mailbox.mbox \
		/root-fs/usr/share/agent-utils/ && scripts/image-root /root-fs

# The services' stand-in, for local clusters and tests.
FROM scratch AS standin
COPY --from=standin-root /root-fs /
COPY --from=standin-root --chown=65532:65532 /store /var/lib/agent-utils
ENV PATH=/usr/bin TMPDIR=/tmp
USER 65532:65532
WORKDIR /var/lib/agent-utils
ENTRYPOINT ["/usr/bin/agent-standin"]
LABEL org.opencontainers.image.title="agent-standin" \
	org.opencontainers.image.description="Stand-in for the services of agent-utils" \
	org.opencontainers.image.licenses="ISC"

# The control plane: the HTTP API, the page, the exporter, and a shell for
# scheduled tasks. SIGINT lets lighttpd finish what it answers.
FROM scratch AS gateway
COPY --from=gateway-root /root-fs /
COPY --from=gateway-root --chown=65532:65532 /store /var/lib/agent-utils
ENV PATH=/usr/bin:/usr/sbin AGENT_STORE=/var/lib/agent-utils TMPDIR=/tmp
USER 65532:65532
WORKDIR /var/lib/agent-utils
EXPOSE 8080 9090
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/bin/agent-serve"]
LABEL org.opencontainers.image.title="agent-gateway" \
	org.opencontainers.image.description="Control plane of agent-utils: API, page, exporter" \
	org.opencontainers.image.licenses="ISC"

# The execution plane; the target when none is named.
FROM scratch AS worker
COPY --from=worker-root /root-fs /
COPY --from=worker-root --chown=65532:65532 /store /var/lib/agent-utils
ENV PATH=/usr/bin AGENT_STORE=/var/lib/agent-utils TMPDIR=/tmp
USER 65532:65532
WORKDIR /var/lib/agent-utils
ENTRYPOINT ["/usr/bin/agent-worker"]
LABEL org.opencontainers.image.title="agent-worker" \
	org.opencontainers.image.description="Execution plane of agent-utils: works tasks off" \
	org.opencontainers.image.licenses="ISC"
