#!/bin/sh
# SPDX-License-Identifier: ISC
# The images are built once more, without the caches of the build before: not a byte
# differs. This takes minutes, so it runs only with LONG=1.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
XDG_CACHE_HOME=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
export XDG_CACHE_HOME # for the base, which is no layer
# shellcheck source=tests/lib.sh
. "$ROOT/tests/lib.sh"
TOP=$ROOT

[ -n "${LONG-}" ] || skip_all "a second build of the images: it takes minutes, with LONG=1"
targets='worker gateway'

build() { # build FOLDER: there, in a storage of its own; what came out is FOLDER.digests
	mkdir -p "$1"
	cat >"$1.conf" <<-END
		[storage]
		driver = "overlay"
		graphroot = "$1/graph"
		runroot = "$1/run"
	END
	# shellcheck disable=SC2086 # a list of words
	obtain images env CONTAINERS_STORAGE_CONF="$1.conf" \
		timeout 900 "$TOP/scripts/images" build $targets
	mv "$OUT" "$1.digests"
	for name in $targets; do
		CONTAINERS_STORAGE_CONF=$1.conf buildah push -q "localhost/agent-$name:dev" \
			"dir:$1/$name" >/dev/null || exit 1
	done
	rm -rf "$1/graph" "$1/run"
}
for round in first second; do
	build "$T/$round"
done
for name in $targets; do
	same "$name: the same digest" "$(grep "^agent-$name " "$T/first.digests")" \
		"$(grep "^agent-$name " "$T/second.digests")"
	check "$name: the same bytes" diff -r "$T/first/$name" "$T/second/$name"
done
done_testing
