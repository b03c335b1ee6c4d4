#!/bin/sh
# SPDX-License-Identifier: ISC
# A Claude that misbehaves: each fault is a failed attempt that is retried or
# ends the task with a reason.
# shellcheck disable=SC2119 # their options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

# faulty FAULT...: a task of one turn, and faults of the requests for it.
faulty() {
	scene <<-END
	model:
	  - reply: { text: All went well. }
	faults:
	$(for fault in "$@"; do echo "  - { on: messages, $fault }"; done)
	END
	submit "say something"
}

errors() { # what the failed attempts were, and whether each was retried
	events 'map(select(.type == "model.failed") |
		"\(.error.type) \(.error.status // 0) \(has("delay_ms"))") | join(", ")'
}

waits() { # what the failed attempts wait for
	events 'map(select(.type == "model.failed") | .wait // "-") | join(" ")'
}

# ---- failures that are retried ----
now='headers: { retry-after-ms: 20 }'
for case in "429 rate_limit_error" "529 overloaded_error" "500 api_error" \
	"503 api_error" "408 timeout_error"; do
	faulty "at: 1, status: ${case% *}, type: ${case#* }, $now"
	work
	same "$case: retried" "completed 1 ${case#* } ${case% *} true" \
		"$(get state) $(get turns) $(errors)"
done
faulty "at: 1, status: 429, headers: { retry-after: 1 }"
work
same "retry-after, and some jitter" "completed true" "$(get state) $(events \
	'map(select(.type == "model.failed"))[0].delay_ms | . >= 1000 and . < 1400')"
check "was waited for" test "$(events '(map(select(.type == "model.started"))
	| .[1].at[17:23] | tonumber) - (map(select(.type == "model.failed"))[0].at[17:23]
	| tonumber) | if . < 0 then . + 60 else . end | . * 1000 | floor')" -ge 999
faulty "at: { to: 3 }, status: 529, headers: { retry-after-ms: 10 }"
work
same "the attempts are counted" "completed 1 2 3 4" "$(get state) $(events \
	'map(select(.type == "model.started").attempt) | map(tostring) | join(" ")')"
faulty "at: { to: 3 }, status: 529, headers: { retry-after-ms: 10 }"
settings <<END
attempts: 2
END
work
same "a limit is no attempt" "completed rate_limit rate_limit rate_limit" "$(get state) $(waits)"
faulty "at: { to: 4 }, status: 500, headers: { retry-after-ms: 10 }"
settings <<END
attempts: 3
END
work
same "an outage does not end with the attempts" "completed - - outage outage" "$(get state) $(waits)"
for fault in "kind: error_event, events: 4, type: overloaded_error" \
	"kind: cut, events: 4" "kind: cut, events: 1" "kind: garbage" \
	"kind: reset_before" "kind: reset_after"; do
	faulty "at: 1, $fault"
	work
	same "$fault: another attempt" "completed 1 1 All went well." \
		"$(get state) $(get turns) $(count model.failed) $(agent-status --result "$ID")"
done
faulty "at: 1, kind: hang"
settings <<END
time_limits: { idle: 1 }
END
work
same "silence: another attempt" "completed 1" "$(get state) $(count model.failed)"
faulty "at: 1, kind: drip, delay: 300"
settings <<END
time_limits: { idle: 1 }
END
work
same "a slow drip is not cut" "completed 0" "$(get state) $(count model.failed)"
faulty "at: 1, kind: drip, delay: 300"
settings <<END
time_limits: { turn: 1 }
attempts: 1
END
work
same "unless the turn has a limit" "completed outage" "$(get state) $(waits)"

# ---- failures that are not ----
for case in "400 invalid_request_error" "413 request_too_large"; do
	faulty "status: ${case% *}, type: ${case#* }, message: it is like that"
	work
	same "$case: ends the task" "failed ${case#* } it is like that 1" \
		"$(get state) $(get error.type) $(get error.message) $(count model.started)"
	check "$case: the request is named" test -n "$(get error.request_id)"
done

# ---- what a person can mend is waited for ----
for case in "401 authentication_error key" "403 permission_error key" \
	"404 not_found_error key" "402 billing_error credit"; do
	read -r status type kind <<-END
		$case
	END
	faulty "at: 1, status: $status, type: $type, message: it is like that"
	work
	same "$case: waited for" "waiting $kind: it is like that $kind 1" \
		"$(get state) $(get reason) $(get waiting.for) $(count model.started)"
	check "$case: tried again at its time" test -n "$(get waiting.until)"
	check "$case: the request is named" \
		test -n "$(events 'map(select(.type == "model.failed"))[0].error.request_id')"
	agent-signal resume "$ID" >/dev/null
	work
	same "$case: resume tries at once" "completed 2" "$(get state) $(count model.started)"
done
for message in "Your credit balance is too low to access the API" \
	"You have reached your specified API usage limits."; do
	faulty "at: 1, status: 400, type: invalid_request_error, message: '$message'"
	work
	same "400, $message" "waiting credit" "$(get state) $(get waiting.for)"
done
faulty "at: 1, status: 500, headers: { x-should-retry: 'false' }"
work
same "x-should-retry: false" "waiting outage 1" \
	"$(get state) $(get waiting.for) $(count model.started)"

# ---- a wait that is too long to keep the lease ----
faulty "at: 1, status: 429, headers: { retry-after: 1000 }"
work
same "a long wait holds no worker" "waiting " "$(get state) $(get worker)"
check "it goes on by itself" test -n "$(get due)"
get reason >"$T/reason"
says "and says why" "^rate_limit: " "$T/reason"
check "resume does not wait for it" agent-signal resume "$ID"
work
same "then it completes" "completed 2" "$(get state) $(count started)"

# ---- a clock that is wrong ----
# Met by a worker whose clock is 400 days ahead, gone on with by one whose clock is
# right: a wait of half a second does not become 400 days. And the other way round.
PRELOAD=$BUILD/fault/clock.so
ldd "$BIN/agent-worker" | grep -q libasan &&
	PRELOAD="$(cc -print-file-name=libasan.so) $PRELOAD"
for days in 400 1 -1 -400; do
	faulty "at: 1, status: 529"
	start env CLOCK_OFFSET=$((days * 86400)) LD_PRELOAD="$PRELOAD" agent-worker 2>>"$LOG"
	await 10 logged model.failed
	end KILL "$STARTED"
	check "$days days: a short wait stays one" timeout 20 agent-worker --exit-when-idle
	same "$days days: the task completes" completed "$(get state)"
done
! on lmdb || {
	faulty "at: 1, status: 503, headers: { retry-after: 17 }"
	CLOCK_OFFSET=34560000 LD_PRELOAD=$PRELOAD work
	check "what waits in the future" is waiting
	worker
	check "waits no longer than it would have" await 40 is completed
	end TERM "$WORKER"
}
[ -z "${LONG-}" ] || {
	faulty "at: 1, status: 429, headers: { retry-after: 16 }"
	worker
	check "long waits: the task waits" await 10 is waiting
	check "and goes on by itself" await 30 is completed
	end TERM "$WORKER"
}
sound
done_testing
