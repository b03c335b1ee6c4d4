#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-signal in every state of a task, with a worker alive and without one.
# shellcheck disable=SC2119 # their options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

script() { # script FAULT: two notes, then the end
	scene <<-END
	model:
	  - when: { turn: { to: 2 } }
	    reply: { text: 'Note {{turn}}.', calls: [ { tool: NOTES_WRITE, input: { text: '{{goal}} {{turn}}' } } ] }
	  - reply: { text: '{{ok.NOTES_WRITE}} notes.' }
	faults:
	  - { on: nothing, at: 1 }
	  - { $1 }
	END
}
types() { # the last N events
	events "map(.type) | .[-$1:] | join(\" \")"
}
# Long enough for a signal: each needs several calls to a Temporal server.
slow=500
on lmdb || slow=2500
has() { [ "$(count "$1")" -ge 1 ]; }

# ---- without a worker ----
script "on: nothing"
submit queued
status 0 "queued: pause" agent-signal --by ana --message "not now" pause "$ID"
same "it waits" "waiting paused" "$(get state) $(get reason)"
same "what was said is kept" "pause ana not now" \
	"$(events 'map(select(.type == "signal"))[0] | "\(.signal) \(.by) \(.message)"')"
status 1 "pause again" agent-signal pause "$ID"
says "says why" '"wrong_state"' "$OUT"
work
# On Temporal a worker handles a signal, and has begun the task by that.
looked=0
on lmdb || looked=1
same "no worker takes it" "waiting $looked" "$(get state) $(count started)"
same "no model is asked" 0 "$(count model.started)"
status 1 "approve what nobody asked" agent-signal approve "$ID"
status 0 "resume" agent-signal resume "$ID"
same "it is in line" "queued" "$(get state)"
status 1 "resume again" agent-signal resume "$ID"
work
same "it completes" "completed 2 notes." "$(get state) $(get result)"
for signal in cancel pause resume approve deny; do
	status 1 "ended: $signal is refused" agent-signal $signal "$ID"
	says "ended: $signal says so" '"task_ended"' "$OUT"
done
submit queued
status 0 "queued: cancel" agent-signal cancel "$ID"
same "it is cancelled there and then" cancelled "$(get state)"
work
same "and stays so" "cancelled $looked 0" "$(get state) $(count started) $(count model.started)"
submit scheduled "not_before: 2099-01-01T00:00:00Z"
status 0 "scheduled: pause" agent-signal pause "$ID"
status 0 "scheduled: resume" agent-signal resume "$ID"
same "it is due when it was" "queued 2099-01-01T00:00:00.000Z" \
	"$(get state) $(get due)"
work
same "no worker takes it" 0 "$(count started)"
status 0 "scheduled: cancel" agent-signal cancel "$ID"
same "it is cancelled" cancelled "$(get state)"
sound

none=0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f
status 1 "an id that does not exist" agent-signal cancel $none
status 100 "no id" agent-signal cancel ../../etc/passwd
submit one
status 1 "several, one does not exist" agent-signal cancel $none "$ID"
same "the other has got it" cancelled "$(get state)"
status 100 "no such signal" agent-signal kill "$ID"

# ---- a worker asks the model ----
script "on: messages, at: 1, kind: hang"
submit "model"
worker
await 10 has model.started
status 0 "model under way: cancel" agent-signal cancel "$ID"
check "it is cut off" await 10 is cancelled
script "on: messages, at: 1, kind: slow, delay: $slow"
submit "model"
worker
await 10 has model.started
status 0 "model under way: pause" agent-signal pause "$ID"
check "it waits" await 10 is waiting
same "the reply was waited for, its calls are not made" \
	"model.replied waiting 0" "$(types 2) $(executed NOTES_WRITE)"
status 0 "resume" agent-signal resume "$ID"
check "the idle worker goes on at once" await 10 is completed
same "two notes" 2 "$(executed NOTES_WRITE)"
script "on: messages, at: 1, kind: slow, delay: $slow"
submit "model"
worker
await 10 has model.started
agent-signal pause "$ID" >"$OUT" && agent-signal resume "$ID" >"$OUT"
check "pause and resume before the reply: it goes on" await 10 is completed
same "and does not wait in between" 0 "$(count waiting)"

# ---- a worker makes a call ----
script "on: NOTES_WRITE, at: 1, kind: slow, delay: $slow"
submit "call"
worker
await 10 executes NOTES_WRITE 1
status 0 "call under way: cancel" agent-signal cancel "$ID"
check "it is cancelled" await 10 is cancelled
same "the result was waited for" "signal tool.finished cancelled" "$(types 3)"
script "on: NOTES_WRITE, at: 1, kind: slow, delay: $slow"
submit "call"
worker
await 10 executes NOTES_WRITE 1
status 0 "call under way: pause" agent-signal pause "$ID"
check "it waits" await 10 is waiting
same "the result was waited for" "signal tool.finished waiting" "$(types 3)"
end KILL "$WORKER"
status 0 "resume without a worker" agent-signal resume "$ID"
work
same "it completes, each note once" "completed 2 0" \
	"$(get state) $(executed NOTES_WRITE) $(repeated)"
sound

# ---- the worker is dead, and no other is there ----
script "on: NOTES_WRITE, at: 1, kind: slow, delay: 30000"
submit "dead"
worker
await 10 executes NOTES_WRITE 1
end KILL "$WORKER"
status 0 "worker dead: cancel" agent-signal cancel "$ID"
work
same "it is cancelled, and nothing is repeated" "cancelled 1" \
	"$(get state) $(executed NOTES_WRITE)"
script "on: NOTES_WRITE, at: 1, kind: slow, delay: 30000"
submit "dead"
worker
await 10 executes NOTES_WRITE 1
end KILL "$WORKER"
status 0 "worker dead: pause" agent-signal pause "$ID"
work
same "it waits" waiting "$(get state)"
status 0 "resume" agent-signal resume "$ID"
work
same "it completes, each note once" "completed 2 0 1" \
	"$(get state) $(executed NOTES_WRITE) $(repeated) $(count tool.unknown)"
sound

# ---- it waits ----
script "on: messages, at: 2, status: 429, headers: { retry-after: 900 }"
submit "rate limit"
work
same "it waits for the rate limit" waiting "$(get state)"
status 0 "waiting: pause" agent-signal pause "$ID"
same "it waits for ever" "waiting paused " "$(get state) $(get reason) $(get due)"
status 0 "resume" agent-signal resume "$ID"
work
same "it completes" "completed 2" "$(get state) $(executed NOTES_WRITE)"
script "on: messages, at: 2, status: 429, headers: { retry-after: 900 }"
submit "rate limit"
worker
await 10 is waiting
status 0 "waiting: cancel, with an idle worker" agent-signal cancel "$ID"
same "it is cancelled there and then" cancelled "$(get state)"
end TERM "$WORKER"
sound

# ---- from an identified user, whose input is not trusted ----
script "on: nothing"
submit hers
said() { printf '%s' "$1" >"$T/said"; }
said '{"signal":"pause","message":"wait \u00fc"}'
status 1 "another's task" agent-signal --user bob -f "$T/said" "$ID"
says "does not exist" '"type":"no_task","message":"there is no task' "$OUT"
status 0 "a signal as JSON" agent-signal --user ana --by ana --request req-9 -f "$T/said" "$ID"
same "is in the journal with its request" "pause ana req-9 wait ü" \
	"$(events 'map(select(.type == "signal"))[0] | "\(.signal) \(.by) \(.request_id) \(.message)"')"
for bad in '{"signal":"kill"}' '{}' '[]' '{' '{"signal":"cancel","by":"root"}' \
	'{"signal":"deny","call":""}' '{"signal":"deny","message":7}' ''; do
	said "$bad"
	status 100 "no signal: $bad" agent-signal --user ana -f "$T/said" "$ID"
done
same "none of them counted" waiting "$(get state)"

# ---- many at once ----
script "on: nothing"
submit many
jq -c '. as $task | range(30) | $task + { goal: "many \(.)" }' "$T/passed" |
	agent-submit | jq -r .id >"$T/ids"
worker
for signal in pause resume cancel; do
	xargs -n 10 -P 3 agent-signal "$signal" <"$T/ids" >>"$T/signals" 2>>"$T/signals"
done
ended() { [ "$(agent-scale-probe | jq .value)" = 0 ]; }
check "thirty tasks get three signals each while they run" await 30 ended
agent-status --limit 100 | jq -r .state | sort -u >"$T/states"
check "all have ended" sh -c "! grep -Ev '^(completed|cancelled)$' '$T/states'"
same "no call was repeated" 0 "$(repeated)"
end TERM "$WORKER"
same "the worker took no harm" 0 $?
sound
done_testing
