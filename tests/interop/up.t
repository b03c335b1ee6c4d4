#!/bin/sh
# SPDX-License-Identifier: ISC
# scripts/up: one command starts everything, the mail triage completes, and one
# Ctrl-C ends everything.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"
TOP=$ROOT
need lighttpd curl
obtain "web page" web_build

XDG_CACHE_HOME=$test_cache
export XDG_CACHE_HOME
port=$((13000 + ($$ * 7 + 977) % 16000))
start setsid env --default-signal=INT "$ROOT/scripts/up" --port $port --folder "$T/up" >"$T/out" 2>"$T/log"
up=$STARTED
ready() { grep -q Ctrl-C "$T/out" || ! kill -0 "$up"; }
await 500 ready
check "it prints where the page is" grep -q "^The page  *http://127.0.0.1:$port/\$" "$T/out"
[ "$test_failed" -eq 0 ] || tail -n 20 "$T/log" | sed 's/^/# /'
token=$(sed -n 's/^ *\(agt_[0-9a-f_]*\)$/\1/p' "$T/out")
check "and a token" test -n "$token"
check "the page is there" curl -sf "http://127.0.0.1:$port/" -o "$T/page"
call() { curl -s -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$@"; }
printf '{"goal":"%s","toolkits":["gmail","linear"]}' \
	"Go through the last three days of my mail, draft replies to anything urgent, create Linear tickets for the engineering ones." >"$T/task"
call --data-binary "@$T/task" "http://127.0.0.1:$port/v1/tasks" >"$T/submitted"
id=$(sed -n 's/^{"id":"\([^"]*\)".*/\1/p' "$T/submitted")
check "a task is taken" test -n "$id"
completed() { call "http://127.0.0.1:$port/v1/tasks/$id" | grep -q '"state":"completed"'; }
check "and completed" await 60 completed
status 111 "a second one in the same folder is refused" "$ROOT/scripts/up" --port $((port + 1)) --folder "$T/up"
says "with the reason" 'scripts/up already runs' "$ERR"

# everything it started has its folder in its environment or command line
left() {
	for environ in /proc/[0-9]*/environ; do
		process=${environ%/environ}
		[ "${process#/proc/}" != $$ ] || continue
		grep -qsz "^AGENT_GATEWAY_RUN=$T/up/run\$" "$environ" && echo "${process#/proc/}"
	done
	true
}
check "programs run" test "$(left | wc -l)" -ge 3
kill -INT "$up"
wait "$up"
same "Ctrl-C ends it" 0 $?
gone() { [ -z "$(left)" ]; }
check "and all that it started" await 10 gone
status 7 "nobody listens any more" curl -s "http://127.0.0.1:$port/healthz"
check "the worker gave its tasks back" grep -q '"event":"' "$T/up/worker.log"
AGENT_STORE=$T/up/store
export AGENT_STORE
check "and the store is sound" agent-store check
done_testing
