# The build image of all stacks: the system in which buildpacks run.
#
#   fnpack image build -t stack/build -f stack/stack.build.Dockerfile stack
#
# Build arguments:
#   LANGUAGES        whose toolchains go in; `--build-arg LANGUAGES=go` makes a small image for Go alone
#   BASE_IMAGE       a Debian or a system made from it; give DISTRO_NAME and DISTRO_VERSION with another one
#   EXTRA_PACKAGES   such as "git openssh-client" for modules that are fetched straight from repositories,
#                    or "gcc libc6-dev" for cgo
#   MAVEN_CENTRAL    a mirror of Maven Central
#   PYPI             a mirror of PyPI
#
# Debian's Go need not be as new as the functions want: the buildpack lets it fetch the toolchain that go.mod names.
# Maven is Apache's own, pinned by hash: Debian's is 37 packages that move with the archive. uv, from PyPI, finds packages for
# other Pythons and C libraries than those here.

ARG BASE_IMAGE=debian:trixie-slim
ARG LANGUAGES="go java python"

# Maven, or nothing where Java is not wanted.
FROM ${BASE_IMAGE} AS maven
ARG LANGUAGES
ARG MAVEN_CENTRAL=https://repo1.maven.org/maven2
ARG MAVEN_VERSION=3.9.11
ARG MAVEN_SHA512=bcfe4fe305c962ace56ac7b5fc7a08b87d5abd8b7e89027ab251069faebee516b0ded8961445d6d91ec1985dfe30f8153268843c89aa392733d1a3ec956c9978
RUN set -eu; \
    mkdir -p /parts; \
    case " ${LANGUAGES} " in *" java "*) ;; *) exit 0 ;; esac; \
    export DEBIAN_FRONTEND=noninteractive; \
    apt-get --quiet=2 update; \
    apt-get install --quiet=2 --yes --no-install-recommends ca-certificates curl > /dev/null; \
    curl --silent --show-error --fail --location --retry 5 --output maven.tar.gz \
        "${MAVEN_CENTRAL}/org/apache/maven/apache-maven/${MAVEN_VERSION}/apache-maven-${MAVEN_VERSION}-bin.tar.gz"; \
    printf '%s  maven.tar.gz\n' "${MAVEN_SHA512}" | sha512sum --check --strict --quiet; \
    mkdir -p /parts/opt/maven /parts/usr/local/bin; \
    tar --extract --gzip --file maven.tar.gz --directory /parts/opt/maven --strip-components 1 --no-same-owner; \
    ln -s /opt/maven/bin/mvn /parts/usr/local/bin/mvn

FROM ${BASE_IMAGE}

ARG LANGUAGES
ARG EXTRA_PACKAGES=""
ARG DISTRO_NAME=debian
ARG DISTRO_VERSION=13
ARG PYPI=https://pypi.org/simple
ARG UV_VERSION=0.13.9
# The wheels for amd64 and arm64.
ARG UV_SHA256="d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19 ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375"

# What apt and dpkg leave behind holds dates and is of no use in an image; without it the same packages
# give the same files. The user is written to the files directly because useradd puts today's date into /etc/shadow.
# The JDK's package wants the manual's folder, which a base without manuals lacks.
RUN set -eu; \
    export DEBIAN_FRONTEND=noninteractive; \
    packages="ca-certificates"; \
    for language in ${LANGUAGES}; do \
        case "$language" in \
        go) packages="$packages golang-go" ;; \
        java) packages="$packages openjdk-21-jdk-headless"; mkdir -p /usr/share/man/man1 ;; \
        python) packages="$packages python3 python3-pip python3-venv" ;; \
        *) echo "LANGUAGES: $language is none of go, java, python" >&2; exit 2 ;; \
        esac; \
    done; \
    apt-get --quiet=2 update; \
    apt-get install --quiet=2 --yes --no-install-recommends $packages ${EXTRA_PACKAGES} > /dev/null; \
    apt-get clean; \
    if [ -e /etc/ssl/certs/java/cacerts ]; then \
        cd /etc/ssl/certs/java; \
        said=$(keytool -importkeystore -noprompt -srckeystore cacerts -srcstorepass changeit -destkeystore undated \
            -deststoretype PKCS12 -deststorepass changeit \
            -J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE -J-Dkeystore.pkcs12.macAlgorithm=NONE 2>&1) || { echo "$said" >&2; exit 1; }; \
        mv undated cacerts; \
        chmod 644 cacerts; \
    fi; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/archives /var/cache/apt/*.bin /var/log/apt \
        /var/log/dpkg.log /var/log/alternatives.log /var/cache/debconf/*-old /var/lib/dpkg/*-old \
        /var/cache/ldconfig/aux-cache; \
    printf 'cnb:x:10001:\n' >> /etc/group; \
    printf 'cnb:x:10000:10001::/home/cnb:/bin/bash\n' >> /etc/passwd; \
    mkdir /home/cnb; \
    chown 10000:10001 /home/cnb

COPY --from=maven /parts/ /

RUN set -eu; \
    case " ${LANGUAGES} " in *" python "*) ;; *) exit 0 ;; esac; \
    requirement="uv==${UV_VERSION}"; \
    for hash in ${UV_SHA256}; do requirement="$requirement --hash=sha256:$hash"; done; \
    printf '%s\n' "$requirement" > /tmp/uv.txt; \
    python3 -m pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action=ignore --break-system-packages \
        --no-deps --no-compile --only-binary :all: --require-hashes --index-url "${PYPI}" -r /tmp/uv.txt; \
    rm /tmp/uv.txt

ENV CNB_USER_ID=10000 \
    CNB_GROUP_ID=10001 \
    HOME=/home/cnb \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

LABEL io.buildpacks.base.id="fnpack.stack.build" \
      io.buildpacks.base.description="Toolchains for ${LANGUAGES} on ${DISTRO_NAME} ${DISTRO_VERSION}" \
      io.buildpacks.base.distro.name="${DISTRO_NAME}" \
      io.buildpacks.base.distro.version="${DISTRO_VERSION}"

USER 10000:10001
