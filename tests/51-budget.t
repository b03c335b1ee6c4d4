#!/bin/sh
# SPDX-License-Identifier: ISC
# A ceiling of dollars or tokens is never passed; at it the task waits until it is raised.
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

six_notes() {
	scene <<-END
	model:
	  - when: { turn: { to: 6 } }
	    reply: { text: 'Note {{turn}}.', calls: [ { tool: NOTES_WRITE, input: { text: 'a {{turn}}' } } ] }
	  - reply: { text: '{{ok.NOTES_WRITE}} notes.' }
	END
}

# ---- a cent ----
six_notes
submit "spend a cent" "budget: { usd: 0.01 }"
work
same "not even the first turn fits" "waiting budget 0 0" \
	"$(get state) $(get waiting.for) $(get turns) $(nano)"
get waiting.message >"$T/message"
# shellcheck disable=SC2016
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

# ---- tokens ----
tokens() {
	agent-status "$ID" | jq '.input_tokens + .output_tokens + .cache_read_tokens + .cache_write_tokens'
}
six_notes
submit "spend tokens" "budget: { tokens: 2500 }"
work
same "it waits before the ceiling" "waiting budget" "$(get state) $(get waiting.for)"
check "after some turns" test "$(get turns)" -gt 0
check "it has not passed the ceiling" test "$(tokens)" -le 2500
get waiting.message >"$T/message"
says "it says why" 'needs up to [0-9]* tokens, and [0-9]* of the budget are left' "$T/message"
most >"$T/most"
says "replies were kept short for it" '^[0-9]+' "$T/most"
status 0 "by many" agent-signal --tokens 1000000 budget "$ID"
work
same "it completes" "completed 6 notes. 0" "$(get state) $(get result) $(repeated)"
sound

# ---- a worker dies during a turn ----
scene <<END
model:
  - reply: { text: The first words of a long speech that takes its time to come to an end. }
faults:
  - { on: messages, at: 1, kind: drip, delay: 500 }
END
submit "speak" "budget: { usd: 2, tokens: 100000 }"
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
check "and in its tokens" test "$(get input_tokens)" -ge \
	"$(events 'map(select(.type == "model.started"))[0].input_tokens')"
sound

# ---- a day's ceilings, for a user and for all ----
day() { # day LIMIT USER...: a task of each user
	scene <<-END
	model:
	  - when: { turn: { to: 9 } }
	    reply: { text: 'Note {{turn}}.', calls: [ { tool: NOTES_WRITE, input: { text: 'a {{turn}}' } } ] }
	  - reply: { text: Done. }
	END
	settings <<-END
	limits: { $1 }
	END
	shift
	: >"$T/ids"
	for user in "$@"; do
		submit "spend" "user: $user"
		echo "$ID" >>"$T/ids"
	done
}
each() { # each MEMBER: of the tasks, in their order
	while read -r id; do
		get "$1" "$id"
	done <"$T/ids" | paste -sd ' '
}
spent() { # spent USER: in billionths of a dollar
	agent-status --user "$1" | jq -s 'map(.cost_usd * 1e9) | add | round'
}
if on lmdb; then
	day "usd_per_user_day: 0.06" ana ana ana ben
	work
	waiting=$(each waiting.for | tr ' ' '\n' | grep -c budget)
	check "a user's tasks wait for the next day" [ "$waiting" -ge 1 ]
	same "until it begins" "$waiting" "$(each due | tr ' ' '\n' | grep -c 'T00:00:00.000Z$')"
	check "they have not passed the ceiling together" [ "$(spent ana)" -le 60000000 ]
	same "another user's task completes" completed "$(get state)"
	agent-signal --usd 5 budget "$(head -n 1 "$T/ids")" >"$OUT" 2>"$ERR"
	settings <<-END
	limits: { usd_per_user_day: 5 }
	END
	xargs agent-signal resume <"$T/ids" >"$OUT" 2>"$ERR"
	work
	same "with a higher one they go on" "completed completed completed completed" \
		"$(each state)"
	sound
	check "a backup has what the day cost" agent-store backup "$T/copy"
	day "usd_per_day: 0.05" ana ben ana
	work
	check "the ceiling of all is not passed" \
		[ $(($(spent ana) + $(spent ben))) -le 50000000 ]
	says "the reason says what is used up" "of what may be spent today" \
		"$(each waiting.message >"$T/message"; echo "$T/message")"
	sound
else
	settings <<-END
	limits: { usd_per_day: 5 }
	END
	status 100 "a day's ceiling is refused on Temporal" agent-worker --once
fi
done_testing
