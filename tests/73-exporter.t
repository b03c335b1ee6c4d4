#!/bin/sh
# SPDX-License-Identifier: ISC
# The exporter from outside: metrics that the official parser reads, numbers that
# KEDA can use, and an error when a number is not known.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/gateway.sh
. "$TOP/tests/gateway.sh"

# shellcheck disable=SC2119 # the options of the server may be left out
engine
exporter_here() {
	export AGENT_GATEWAY_ADDRESS=127.0.0.1 AGENT_GATEWAY_PORT="$PORT" \
		AGENT_GATEWAY_BIN="$BIN" AGENT_GATEWAY_SHARE="$TOP/cmd/gateway" AGENT_GATEWAY_RUN="$RUN"
	serve "$TOP/cmd/gateway/lighttpd-exporter.conf"
}
mkdir "$RUN"
COMPOSIO_API_KEY=not-for-the-exporter
export COMPOSIO_API_KEY
somewhere exporter_here
API=http://127.0.0.1:$PORT
value() { curl -s "$API/scale/$1" | sed -n 's/.*"value":\([0-9]*\),.*/\1/p'; }
sample() { curl -s "$API/metrics" | sed -n "s/^$1 //p"; }

if on lmdb; then
	call 503 "no store is no number" GET /scale/default
	says "but an error" '^\{"error":\{"type":"not_known".*"retryable":true' "$OUT"
	call 503 "nor are there metrics" GET /metrics
fi
printf '{"user":"ann","goal":"one","queue":"mail"}\n{"user":"ann","goal":"two"}
{"user":"ann","goal":"three","key":"k"}\n{"user":"ben","goal":"later","not_before":"2040-01-01T00:00:00Z"}\n' |
	agent-submit --no-preflight >"$T/ids"
paused=$(sed -n '3s/^{"id":"\([^"]*\)".*/\1/p' "$T/ids")
ended=$(sed -n '2s/^{"id":"\([^"]*\)".*/\1/p' "$T/ids")
agent-signal pause "$paused" >"$OUT" && agent-signal cancel "$ended" >"$OUT"

same_soon "a queue's value" 1 value mail
# on Temporal a worker has to handle the pause itself
on lmdb && wanted=0 || wanted=1
same_soon "one with what is paused, ended and for later" "$wanted" value default
call 200 "all of them" GET /scale
says "together" '^\{"queue":null,"value":[0-9]+,' "$OUT"
same "as JSON" application/json "$(header Content-Type)"
call 200 "a queue that never was" GET /scale/nothing
says "has nothing to do" '"value":0,' "$OUT"

call 200 "metrics" GET /metrics
same "their type" 'application/openmetrics-text; version=1.0.0; charset=utf-8' "$(header Content-Type)"
says "end as they must" '^# EOF$' "$OUT"
same_soon "pending" 1 sample 'agent_tasks{queue="mail",state="pending"}'
if on lmdb; then
	same "scheduled" 1 "$(sample 'agent_tasks{queue="default",state="scheduled"}')"
	same "waiting, by what for" 1 "$(sample 'agent_tasks_waiting{for="paused"}')"
	same "ended" 1 "$(sample 'agent_tasks_ended_total{outcome="cancelled"}')"
	same "submitted" 4 "$(sample agent_tasks_submitted_total)"
	agent-store prune --before 0s >"$OUT" 2>"$ERR"
	same "what was pruned has been" 1 "$(sample 'agent_tasks_ended_total{outcome="cancelled"}')"
	check "the store is sound" agent-store check
fi

for path in /scale/ /scale/A /scale/a/b /scale/../x '/scale/a%00' / /v1/tasks "/scale/$(printf %065d 0)"; do
	call '4[0-9]*' "nothing else: $path" GET "$path"
done
call 400 "no parameters" GET '/scale/mail?x=1'
call 405 "nothing to send" POST /scale/mail -d ''
call 200 "it is there" GET /healthz
if on lmdb; then
	mv "$T/store" "$T/away"
	call 503 "no store any more" GET /scale/mail
	same "is no number" "" "$(value mail)"
	call 200 "and yet alive" GET /healthz
	mv "$T/away" "$T/store"
fi
status 1 "a program of it has no key" sh -c "agent-exporter --lighttpd | grep COMPOSIO"
done_testing
