#!/bin/sh
# SPDX-License-Identifier: ISC
# Subjects that cannot be had here are skipped and named; those that are here and do
# not work fail and say why. Fakes replace the servers and tools, in a cache of
# this test's own.
# shellcheck disable=SC2016 # the dollars are the fakes'
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need openssl jq

XDG_CACHE_HOME=$T/cache
export XDG_CACHE_HOME
cache=$XDG_CACHE_HOME/agent-utils
version() { sed -n 's/^version=//p' "$TOP/scripts/$1"; }
fake() { # fake FILE [LINE]: a program that does as LINE says, or ends with 3
	mkdir -p "${1%/*}"
	printf '#!/bin/sh\n%s\n' "${2-echo 'no luck today' >&2; exit 3}" >"$1"
	chmod +x "$1"
}
kept() { # kept TEST: runs it as scripts/check does
	rm -rf "$T/tap"
	mkdir "$T/tap"
	PATH=$T/bin:$PATH "$TOP/scripts/tap-keep" "$T/tap" "$TOP/tests/$1"
}
skips() { # skips SUBJECT TEST
	status 0 "$2 without $1 ends well" kept "$2"
	same "$2 counts as skipped" "0 passed, 0 failed, 1 skipped" "$("$TOP/scripts/tap-count" "$T/tap")"
	same "$2 names $1" "$1" "$("$TOP/scripts/tap-skips" "$T/tap")"
}
fails() { # fails REASON TEST
	status 1 "$2 fails: $1" kept "$2"
	says "$2 says why" "$1" "$OUT"
	same "$2 counts as failed" "0 passed, 1 failed, 0 skipped" "$("$TOP/scripts/tap-count" "$T/tap")"
	same "$2 skips nothing" '' "$("$TOP/scripts/tap-skips" "$T/tap")"
}

for name in 60-temporal-grpc 61-temporal-worker 62-temporal-engine; do
	skips Temporal $name.t
done
fake "$cache/temporal/temporal-$(version temporal-server)"
for name in 60-temporal-grpc 61-temporal-worker 62-temporal-engine; do
	fails 'no luck today' $name.t
done

programs=$cache/kubernetes/$(version kubernetes)
for name in 70-control-plane 93-manifests; do
	skips Kubernetes $name.t
done
mkdir -p "$programs/external-types"
: >"$programs/control-plane.built"
for program in etcd kube-apiserver kubectl; do
	fake "$programs/$program"
done
fails 'no luck today' 70-control-plane.t
for program in etcd kube-apiserver; do
	fake "$programs/$program" 'exec sleep 300'
done
fake "$programs/kubectl" 'case $* in *readyz*) exit ;; esac; echo "this type is refused" >&2; exit 1'
fails 'this type is refused' 93-manifests.t

fake "$T/bin/node" 'echo v99.0.0'
fake "$T/bin/npm"
skips Node.js 80-web-unit.t
fake "$T/bin/npm" '[ "$1" = ci ] || { echo "no luck today" >&2; exit 3; }'
status 1 "80-web-unit.t fails: npm does" kept 80-web-unit.t

# the images' builder, as root sees it
images() { PATH=$T/bin:$PATH "$TOP/scripts/images" build worker; }
fake "$T/bin/id" 'echo 0'
fake "$T/bin/mountpoint" 'exit 0'
fake "$T/bin/mmdebstrap" 'exit 3'
fake "$T/bin/jq" 'exit 0'
fake "$T/bin/buildah" 'case $1 in images | inspect) exit ;; esac; echo "no luck today"; exit 3'
status 1 "a Dockerfile that does not build is a failure" images
says "with its words" 'no luck today' "$ERR"
fake "$T/bin/buildah" '[ "$1" = images ]'
status 111 "a base that cannot be made is not" images
done_testing
