#!/bin/sh
# SPDX-License-Identifier: ISC
# The exporter's answers, read as KEDA's metrics-api scaler reads them: with Go's
# client, its parser and its rules (keda-answer). What KEDA reads as a number must
# be one, and an unknown number must not be read as one.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
# shellcheck source=tests/lib.sh
. "$ROOT/tests/lib.sh"
TOP=$ROOT
# shellcheck source=tests/gateway.sh
. "$TOP/tests/gateway.sh"

# built once, as scripts/temporal-server builds its server
tool=keda-answer cache=$test_cache/agent-utils/keda-answer go_minimum=1.26
. "$TOP/scripts/service.sh"
reader=$cache/keda-answer-$(cat "$TOP"/tests/interop/keda-answer/* | sha256sum | cut -c 1-12)
build_reader() {
	lock lock
	find_go
	mkdir -p "$cache/building"
	cp "$TOP"/tests/interop/keda-answer/* "$cache/building"
	cd "$cache/building" || exit
	build_go mod download || not_now "no modules: is the Go module proxy reachable?"
	build_go build -o "$reader" . || failed "cannot build it"
	cd / && rm -rf "$cache/building"
}
[ -x "$reader" ] || obtain Go build_reader

manifests=$TOP/k8s-manifests/components
location=$(sed -n 's/^ *valueLocation: //p' "$manifests/keda-scaledobject/scaledobject.yaml")
path=$(sed -n 's,^ *url: http://[^/]*,,p' "$manifests/keda-scaledobject/scaledobject.yaml")
same "the Jobs ask for the same" "$location $path" "$(sed -n 's/^ *valueLocation: //p; s,^ *url: http://[^/]*,,p' \
	"$manifests/keda-scaledjob/scaledjob.yaml" | tac | paste -sd ' ')"

exporter_here() {
	export AGENT_GATEWAY_ADDRESS=127.0.0.1 AGENT_GATEWAY_PORT="$PORT" \
		AGENT_GATEWAY_BIN="$BIN" AGENT_GATEWAY_SHARE="$TOP/cmd/gateway" AGENT_GATEWAY_RUN="$RUN"
	serve "$TOP/cmd/gateway/lighttpd-exporter.conf"
}
AGENT_STORE=$T/store
export AGENT_STORE
mkdir -p "$RUN"
somewhere exporter_here
answer() { "$reader" "http://127.0.0.1:$PORT$1" "$location"; }
known() { # known NAME WANTED PATH
	answer "$3" >"$OUT" 2>"$ERR"
	same "$1" "$2" "$(cat "$OUT")"
}
unknown() { # unknown NAME PATH
	status 1 "$1 is an error" answer "$2"
	same "$1 is no number" '' "$(cat "$OUT")"
}

unknown "a store that is not there" "$path"
i=0
while [ $i -lt 12 ]; do
	i=$((i + 1))
	echo '{"user":"ann","goal":"g"}'
done | agent-submit --no-preflight >"$OUT"
known "what is pending" 12 "$path"
known "of another queue" 0 /scale/other
agent-submit --no-preflight --at 2099-01-01T00:00:00Z >"$OUT" <<-END
	{"user":"ann","goal":"later"}
END
known "what is for later does not count" 12 "$path"
unknown "a queue that cannot be" /scale/UPPER
unknown "no such route" /scales/default
unknown "the metrics, which are no JSON" /metrics

# what makes the number unknown makes it an error
mv "$T/store" "$T/away"
unknown "a store that has gone" "$path"
mkdir "$T/store"
head -c 8192 /dev/urandom >"$T/store/data.mdb"
unknown "a store that is none" "$path"
rm -r "$T/store"
mv "$T/away" "$T/store"
known "and when it is back the number is back" 12 "$path"
done_testing
