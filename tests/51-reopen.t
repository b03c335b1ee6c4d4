#!/bin/sh
# SPDX-License-Identifier: ISC
# No end is final: retry and continue; and all calls in doubt answered at once.
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
	  - reply: { text: '{{ok.NOTES_WRITE}} notes after {{turn}} turns.' }
	faults:
	  - { on: nothing, at: 1 }
	  - { $1 }
	END
}
whole() { # the journal has every number once
	events 'map(.seq) == [range(1; length + 1)]'
}

# ---- a completed task goes on after a message ----
script "on: nothing"
submit more
status 1 "an open task" agent-signal continue --message on "$ID"
says "says why" '"wrong_state"' "$OUT"
work
same "it completes" "completed 2 notes after 3 turns." "$(get state) $(get result)"
status 1 "retry of a completed task" agent-signal retry "$ID"
says "says why" '"wrong_state".*continue' "$OUT"
status 100 "continue without a message" agent-signal continue "$ID"
status 0 "continue" agent-signal continue --by ana --message 'And "now"?' "$ID"
same "it is in line" "queued" "$(get state)"
same "its result is gone until there is a new one" "" "$(get result)"
status 1 "continue again" agent-signal continue --message again "$ID"
work
same "it completes once more, and repeats nothing" \
	"completed 2 notes after 4 turns. 2 0" \
	"$(get state) $(get result) $(executed NOTES_WRITE) $(repeated)"
same "the journal has both ends" "2 2 true" \
	"$(count completed) $(events 'map(select(.type == "signal"))[0].v') $(whole)"
agent-signal continue --message third "$ID" >"$OUT"
agent-signal pause "$ID" >"$OUT"
same "it can be paused" "waiting paused" "$(get state) $(get reason)"
agent-signal resume "$ID" >"$OUT"
work
same "and completes a third time" "completed 2 notes after 5 turns. true" \
	"$(get state) $(get result) $(whole)"
same "lists have it once" "$ID completed" \
	"$(agent-status --limit 10 | jq -r '"\(.id) \(.state)"')"
sound

# ---- a failed task goes on where it failed ----
script "on: messages, at: 2, status: 400"
submit failing
work
same "it fails" "failed 1" "$(get state) $(executed NOTES_WRITE)"
status 0 "retry" agent-signal retry "$ID"
same "it is in line" "queued " "$(get state) $(get error)"
same "and no longer among the failed" "" "$(agent-status --state failed)"
work
same "it completes without repeating its writes" "completed 2 0 true" \
	"$(get state) $(executed NOTES_WRITE) $(repeated) $(whole)"
sound

# ---- a cancelled one ----
script "on: nothing"
submit cancelled
agent-signal cancel "$ID" >"$OUT"
same "it is cancelled" cancelled "$(get state)"
status 0 "retry" agent-signal retry "$ID"
work
same "it completes" "completed 2 1" \
	"$(get state) $(executed NOTES_WRITE) $(count cancelled)"
submit "while no worker is there to end it"
agent-signal cancel "$ID" >"$OUT"
status 0 "retry at once" agent-signal retry "$ID"
work
same "it completes" "completed 1 true" "$(get state) $(count cancelled) $(whole)"
script "on: NOTES_WRITE, at: 1, kind: slow, delay: 2000"
submit "under way"
worker
await 10 executes NOTES_WRITE 1
agent-signal cancel "$ID" >"$OUT"
await 10 is cancelled
status 0 "retry, with a worker alive" agent-signal retry "$ID"
check "it goes on at once" await 20 is completed
same "the call that was waited for is not made again" "2 0" \
	"$(executed NOTES_WRITE) $(repeated)"
end TERM "$WORKER"
sound

# ---- two at once ----
script "on: nothing"
submit "an older one"
older=$ID
submit twice
work
for i in 1 2 3; do
	agent-signal continue --message one "$ID" >"$T/one" 2>&1 &
	one=$!
	agent-signal continue --message two "$ID" >"$T/two" 2>&1 &
	two=$!
	wait $one
	taken=$?
	wait $two
	same "round $i: one is taken, one refused" 1 $((taken + $?))
	check "round $i: in words" grep -q '"wrong_state".*the task has not ended' "$T/one" "$T/two"
	same "round $i: a page of those that have completed has another one" "$older" \
		"$(agent-status --limit 1 --state completed | jq -r .id)"
	work
	same "round $i: it completes" "completed $((i + 1)) $i true" \
		"$(get state) $(count completed) $(count signal) $(whole)"
done
same "a page begins after one" "$older" "$(agent-status --state completed --before "$ID" | jq -r .id)"
sound

# ---- another task goes on from a part of one ----
script "on: nothing"
submit first
work
same "the first completes" "completed 2" "$(get state) $(executed NOTES_WRITE)"
first=$ID
seq=$(events 'map(select(.type == "tool.finished"))[0].seq')
status 0 "a second goes on from its first note" agent-submit --from "$first@$seq" --key second
ID=$(jq -r .id "$OUT")
status 0 "its key makes it one" agent-submit --from "$first@$seq" --key second
same "of one id" "$ID true" "$(jq -r '"\(.id) \(.existing)"' "$OUT")"
same "it is in line, and says where it is from" "queued $first $seq true" \
	"$(get state) $(events '.[0].from | "\(.id) \(.seq)"') $(whole)"
work
same "it completes; what was done is not done again" "completed 2 notes after 3 turns. 3" \
	"$(get state) $(get result) $(executed NOTES_WRITE)"
same "the first is as it was" "completed 2" "$(get state "$first") $(get calls "$first")"
status 1 "no such event" agent-submit --from "$first@999"
status 1 "no such task" agent-submit --from "0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f@1"
status 100 "no number" agent-submit --from "$first"
seq=$(events 'map(select(.type == "tool.started"))[0].seq' "$first")
agent-submit --from "$first@$seq" >"$OUT"
ID=$(jq -r .id "$OUT")
work
same "a call under way there is in doubt" "completed 1" "$(get state) $(count tool.unknown)"
agent-submit --from "$first@$(get seq "$first")" >"$OUT"
ID=$(jq -r .id "$OUT")
same "all of it is an ended task" completed "$(get state)"
on lmdb || work # its workflow is still open
status 0 "which goes on" agent-signal continue --message more "$ID"
work
same "by itself" "completed 2" "$(get state) $(count completed)"
sound

# ---- several calls in doubt ----
for answer in approve deny; do
	scene <<-END
	model:
	  - when: { turn: 1 }
	    reply:
	      calls:
	        - { tool: NOTES_WRITE, input: { text: one } }
	        - { tool: NOTES_WRITE, input: { text: two } }
	        - { tool: NOTES_WRITE, input: { text: three } }
	  - reply: { text: '{{ok.NOTES_WRITE}} written.' }
	faults:
	  - { on: NOTES_WRITE, at: { to: 3 }, kind: slow, delay: 30000 }
	END
	settings <<-END
	tools: { "NOTES_W*": { on_unknown: ask } }
	END
	submit doubtful
	worker
	await 10 executes NOTES_WRITE 3
	end KILL "$WORKER"
	# shellcheck disable=SC2016
	check "$answer: it waits" sh -c 'timeout 100 agent-worker --exit-when-idle 2>>"$1"' - "$LOG"
	same "$answer: for a person" "waiting 3" "$(get state) $(count tool.unknown)"
	same "$answer: each is told with its tool and input" "NOTES_WRITE one NOTES_WRITE three NOTES_WRITE two" \
		"$(agent-status "$ID" | jq -r '.waiting.decisions | map("\(.tool) \(.input.text)") | sort | join(" ")')"
	status 1 "$answer: which call?" agent-signal $answer "$ID"
	status 0 "$answer: all" agent-signal --all $answer "$ID"
	same "$answer: one event for each" 3 "$(count signal)"
	status 1 "$answer: only once" agent-signal --all $answer "$ID"
	work
	[ $answer = approve ] && wanted="6 3 written." || wanted="3  written."
	same "$answer: then it goes on" "completed $wanted" \
		"$(get state) $(executed NOTES_WRITE) $(get result)"
	sound
done
done_testing
