#!/bin/sh
# SPDX-License-Identifier: ISC
# A ceiling of dollars is never passed; at it the task waits until it is raised.
# shellcheck disable=SC2119 # their options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

nano() { # the cost in billionths of a dollar
	get cost_usd | awk '{ printf "%.0f", $1 * 1e9 }'
}
most() { # max_tokens of each turn
	events 'map(select(.type == "model.started") | .max_tokens // "-") | join(" ")'
}

# ---- a cent ----
scene <<END
model:
  - when: { turn: { to: 6 } }
    reply: { text: 'Note {{turn}}.', calls: [ { tool: NOTES_WRITE, input: { text: 'a {{turn}}' } } ] }
  - reply: { text: '{{ok.NOTES_WRITE}} notes.' }
END
submit "spend a cent" "budget: { usd: 0.01 }"
work
same "not even the first turn fits" "waiting budget 0 0" \
	"$(get state) $(get waiting.for) $(get turns) $(nano)"
get waiting.message >"$T/message"
says "it says why" 'needs up to \$.*\$0.0100 of the budget are left' "$T/message"
same "no worker has it" "" "$(get worker)"
status 1 "a ceiling that it has not" agent-signal --tokens 5 budget "$ID"
status 100 "by nothing" agent-signal budget "$ID"
status 0 "by a cent" agent-signal --usd +0.01 --by ana budget "$ID"
work
same "it goes on, and waits again" "waiting budget" "$(get state) $(get waiting.for)"
check "after some turns" test "$(get turns)" -gt 0
check "it has not passed the ceiling" test "$(nano)" -le 20000000
most >"$T/most"
says "replies were kept short for it" '^[0-9]+' "$T/most"
status 0 "by much" agent-signal --usd 5 budget "$ID"
work
same "it completes" "completed 6 notes. 0" "$(get state) $(get result) $(repeated)"
most >"$T/most"
says "the last turn had all it wanted" ' -$' "$T/most"
sound

# ---- a worker dies during a turn ----
scene <<END
model:
  - reply: { text: The first words of a long speech that takes its time to come to an end. }
faults:
  - { on: messages, at: 1, kind: drip, delay: 500 }
END
submit "speak" "budget: { usd: 2 }"
worker
speaks() { get progress | grep -q '^The first'; }
await 20 speaks
end KILL "$WORKER"
work
same "it completes" "completed 1" "$(get state) $(get turns)"
same "what the lost attempt had sent counts" true \
	"$(events 'map(select(.type == "model.started"))[0].input_nano_usd > 0')"
check "in its cost" test "$(nano)" -gt \
	"$(events 'map(select(.type == "model.started"))[0].input_nano_usd')"
sound
done_testing
