# The runner image of the Go stack: the system in which Go functions run.
#
#   fnpack image build -t stack/go-runner -f stack/stack.go-runner.run.Dockerfile stack
#
# Build arguments:
#   RUNNER_IMAGE   a Debian or a system made from it, or a published runner of Function Mesh, such as
#                  streamnative/pulsar-functions-go-runner with the tag of your Pulsar: what it has already is kept.
#                  Give DISTRO_NAME and DISTRO_VERSION with another one.
#
# Function Mesh starts a function with bash, as user 10000 of group 10001, in /pulsar.

ARG RUNNER_IMAGE=debian:trixie-slim
FROM ${RUNNER_IMAGE}

ARG DISTRO_NAME=debian
ARG DISTRO_VERSION=13

USER 0:0

# What apt and dpkg leave behind holds dates and is of no use in an image; without it the same packages
# give the same files. The user is written to the files directly because useradd puts today's date into /etc/shadow.
RUN set -eu; \
    if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then \
        export DEBIAN_FRONTEND=noninteractive; \
        apt-get update; \
        apt-get install --yes --no-install-recommends ca-certificates; \
        apt-get clean; \
        rm -rf /var/lib/apt/lists/* /var/cache/apt/archives /var/cache/apt/*.bin /var/log/apt \
            /var/log/dpkg.log /var/log/alternatives.log /var/cache/debconf/*-old /var/lib/dpkg/*-old \
            /var/cache/ldconfig/aux-cache; \
    fi; \
    grep -q '^[^:]*:[^:]*:10001:' /etc/group || printf 'pulsar:x:10001:\n' >> /etc/group; \
    grep -q '^[^:]*:[^:]*:10000:' /etc/passwd || printf 'pulsar:x:10000:10001::/pulsar:/bin/bash\n' >> /etc/passwd; \
    for folder in bin conf lib instances logs tmp function; do mkdir -p "/pulsar/$folder"; done; \
    chown 10000:10001 /pulsar /pulsar/bin /pulsar/conf /pulsar/lib /pulsar/instances /pulsar/logs /pulsar/tmp /pulsar/function

ENV HOME=/pulsar \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

LABEL io.buildpacks.base.id="fnpack.stack.go" \
      io.buildpacks.base.description="Runner of Go functions for Pulsar on ${DISTRO_NAME} ${DISTRO_VERSION}" \
      io.buildpacks.base.distro.name="${DISTRO_NAME}" \
      io.buildpacks.base.distro.version="${DISTRO_VERSION}"

WORKDIR /pulsar
USER 10000:10001
