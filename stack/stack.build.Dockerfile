# The build image of the Go stack: the system in which buildpacks run.
#
#   fnpack image build -t stack/build -f stack/stack.build.Dockerfile stack
#
# Build arguments:
#   BASE_IMAGE       a Debian or a system made from it; give DISTRO_NAME and DISTRO_VERSION with another one
#   EXTRA_PACKAGES   such as "git openssh-client" for modules that are fetched straight from repositories,
#                    or "gcc libc6-dev" for cgo
#
# Debian's Go need not be as new as the functions want: the buildpack lets it fetch the toolchain that go.mod names.

ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}

ARG EXTRA_PACKAGES=""
ARG DISTRO_NAME=debian
ARG DISTRO_VERSION=13

# What apt and dpkg leave behind holds dates and is of no use in an image; without it the same packages
# give the same files. The user is written to the files directly because useradd puts today's date into /etc/shadow.
RUN set -eu; \
    export DEBIAN_FRONTEND=noninteractive; \
    apt-get update; \
    apt-get install --yes --no-install-recommends ca-certificates golang-go ${EXTRA_PACKAGES:-}; \
    apt-get clean; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/archives /var/cache/apt/*.bin /var/log/apt \
        /var/log/dpkg.log /var/log/alternatives.log /var/cache/debconf/*-old /var/lib/dpkg/*-old \
        /var/cache/ldconfig/aux-cache; \
    printf 'cnb:x:10001:\n' >> /etc/group; \
    printf 'cnb:x:10000:10001::/home/cnb:/bin/bash\n' >> /etc/passwd; \
    mkdir /home/cnb; \
    chown 10000:10001 /home/cnb

ENV CNB_USER_ID=10000 \
    CNB_GROUP_ID=10001 \
    HOME=/home/cnb \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

LABEL io.buildpacks.base.id="fnpack.stack.go" \
      io.buildpacks.base.description="Go toolchain on ${DISTRO_NAME} ${DISTRO_VERSION}" \
      io.buildpacks.base.distro.name="${DISTRO_NAME}" \
      io.buildpacks.base.distro.version="${DISTRO_VERSION}"

USER 10000:10001
