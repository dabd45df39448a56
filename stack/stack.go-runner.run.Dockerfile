# The run image of Go functions: a runner, made ready to be built on.
#
#   fnpack image build -t stack/go-runner -f stack/stack.go-runner.run.Dockerfile stack
#
# Build arguments:
#   RUNNER_IMAGE   a runner: one that Function Mesh's project publishes, with the tag of your Pulsar, or one of your own;
#                  stack/runner makes one from Debian's packages
#
# Nothing is installed and nothing of the runner is changed. Function Mesh starts functions with bash in /pulsar, as user
# 10000 of group 10001: here as numbers, because a cluster that asks for `runAsNonRoot` trusts no name. `fnpack image build`
# adds labels that say which C library and which packages the runner has.

# A tag, not a digest: the runners are published without one to rely on. Pin your own copy.
ARG RUNNER_IMAGE=streamnative/pulsar-functions-pulsarctl-go-runner:4.0.5.2
FROM ${RUNNER_IMAGE}

USER 0:0
RUN set -eu; \
    grep -q '^[^:]*:[^:]*:10001:' /etc/group || printf 'pulsar:x:10001:\n' >> /etc/group; \
    grep -q '^[^:]*:[^:]*:10000:' /etc/passwd || printf 'pulsar:x:10000:10001::/pulsar:/bin/sh\n' >> /etc/passwd; \
    cd /; \
    for folder in pulsar pulsar/bin pulsar/conf pulsar/lib pulsar/instances pulsar/logs pulsar/tmp pulsar/function; do \
        [ -d "$folder" ] || { mkdir "$folder"; chown 10000:10001 "$folder"; }; \
    done

LABEL io.buildpacks.base.id="fnpack.stack.go" \
      io.buildpacks.base.description="Runs Pulsar functions in Go"

WORKDIR /pulsar
USER 10000:10001
