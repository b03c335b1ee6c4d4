#!/bin/sh
# SPDX-License-Identifier: ISC
# The replies of a model: every stop reason, calls that cannot be made, too much
# and too little; the budgets; and replies and costs survive a worker.
# shellcheck disable=SC1111,SC2119 # text of a model; options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

nano() { # what the task cost, in billionths of a dollar
	agent-status "$ID" | jq '.cost_usd * 1e9 | round'
}

# ---- its replies ----
scene <<END
model:
  - when: { goal: refuse }
    reply: { text: 'No.', stop: refusal, stop_details: { type: refusal, category: cyber, explanation: I had better not } }
  - when: { goal: 'cut once', turn: 1 }
    reply: { text: This is the begin, stop: max_tokens }
  - when: { goal: 'cut call', turn: 1 }
    reply: { text: I write., calls: [ { tool: NOTES_WRITE, input: { text: cut } } ], stop: max_tokens }
  - when: { goal: 'cut call', results: 'cut at its token limit' }
    reply: { text: Then I leave it. }
  - when: { goal: 'nothing ever' }
    reply: { stop: end_turn }
  - when: { goal: 'paused', turn: 1 }
    reply: { text: 'Wait.', stop: pause_turn }
  - when: { goal: 'no reason' }
    reply: { text: Hm., stop: 'null' }
  - when: { goal: 'new reason' }
    reply: { text: Hm., stop: tired_of_it }
  - when: { goal: 'too long' }
    reply: { text: Hm., stop: model_context_window_exceeded }
  - when: { goal: 'blocked' }
    reply: { text: Hm., calls: [ { tool: cannot_proceed, input: { reason: nobody gave me the key } } ] }
  - when: { goal: 'no such tool', turn: 1 }
    reply: { calls: [ { tool: NOTES_BURN, input: { text: all } } ] }
  - when: { goal: 'no such tool', results: 'no tool named.*NOTES_BURN.*NOTES_WRITE' }
    reply: { text: I see. }
  - when: { goal: 'against the schema', turn: 1 }
    reply: { calls: [ { tool: NOTES_WRITE, input: { words: 7 } } ] }
  - when: { goal: 'against the schema', results: 'did not run|failed|required' }
    reply: { text: I see. }
  - when: { goal: 'it fails', turn: 1 }
    reply: { calls: [ { tool: NOTES_BREAK, input: {} } ] }
  - when: { goal: 'it fails', results: 'notebook is locked' }
    reply: { text: I see. }
  - when: { goal: 'never stops' }
    reply: { text: 'Again {{turn}}.', calls: [ { tool: NOTES_READ, input: {} } ] }
  - when: { goal: 'strange blocks', turn: 1 }
    reply:
      thinking: 'A “thought” with \\ and é'
      text: 'Text with "quotes" \\u0041 😀'
      blocks: [ { type: redacted_thinking, data: c2VjcmV0 }, { type: new_thing, stuff: [1, 2.50, null] } ]
      calls: [ { tool: NOTES_READ, input: { text: 'é 😀 \\' } } ]
  - reply: { text: All went well. }
END
try() { # try NAME WANTED MEMBERS GOAL [LINE...]
	name=$1 wanted=$2 members=$3
	shift 3
	submit "$@"
	work
	same "$name" "$wanted" "$(for member in $members; do get "$member"; done |
		tr '\n' ' ' | sed 's/ $//')"
}
try "a refusal" "failed refusal" "state error.type" refuse
get error.message >"$T/message"
says "with its explanation" "I had better not" "$T/message"
try "a reply that was cut goes on" "completed 2 This is the beginAll went well." "state turns result" "cut once"
try "a call in it is not run" "completed 2 0 Then I leave it." "state turns calls result" "cut call"
try "an empty reply is asked again, three are the end" "failed empty_reply 3" "state error.type turns" "nothing ever"
try "pause_turn goes on" "completed 2 Wait.All went well." "state turns result" paused
try "no stop reason" "failed unknown_stop_reason" "state error.type" "no reason"
try "a new stop reason" "failed unknown_stop_reason" "state error.type" "new reason"
get error.message >"$T/message"
says "is named" "tired_of_it" "$T/message"
try "the context is full" "failed max_tokens" "state error.type" "too long"
try "it is blocked" "blocked nobody gave me the key" "state reason" blocked
try "a tool that does not exist" "completed I see." "state result" "no such tool"
try "arguments against the schema" "completed I see." "state result" "against the schema"
try "a tool that fails" "completed I see." "state result" "it fails"
same "nothing of that was written" 0 "$(executed NOTES_WRITE)"
try "strange blocks are sent back as they came" "completed 2 All went well." "state turns result" "strange blocks"
try "a budget of turns" "waiting budget 3 3" "state waiting.for turns calls" "never stops" "budget: { turns: 3 }"
try "a budget of tokens" "waiting budget" "state waiting.for" "never stops" "max_tokens: 1000" "budget: { tokens: 5000 }"
check "is kept to a turn" test "$(get turns)" -lt 50
try "a budget of dollars" "waiting budget" "state waiting.for" "never stops" "max_tokens: 100" "budget: { usd: 0.02 }"
check "is not passed" test "$(nano)" -le 20000000
try "a budget that is to fail" "failed budget_exceeded 2" "state error.type turns" "never stops" "budget: { turns: 2 }" "on_budget: fail"
try "a budget of seconds" "failed budget_exceeded" "state error.type" "never stops" "budget: { seconds: 1, turns: 100000 }"
sound

# ---- its cost ----
scene <<END
model:
  - when: { turn: 1 }
    reply: { text: I write., usage: { input_tokens: 1000, output_tokens: 100 }, calls: [ { tool: NOTES_WRITE, input: { text: one } } ] }
  - reply: { text: Done., usage: { input_tokens: 2000, output_tokens: 200, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 } }
faults:
  - { on: NOTES_WRITE, at: 1, kind: slow, delay: 30000 }
END
submit "count"
worker
await 10 executes NOTES_WRITE 1
before=$(nano)
end KILL "$WORKER"
work
same "tokens add up across a crash" "completed 3000 300" \
	"$(get state) $(get input_tokens) $(get output_tokens)"
check "and dollars" test "$(nano)" -gt "$before"
same "as much as the journal has" "$(events 'map(.nano_usd // 0) | add')" \
	"$(nano)"

# ---- progress, and a kill during a reply ----
scene <<END
model:
  - when: { turn: 1 }
    reply: { text: The first words of a long speech that takes its time to come to an end. }
faults:
  - { on: messages, at: 1, kind: drip, delay: 200 }
END
submit "speak"
worker
speaks() { get progress | grep -q '^The first'; }
check "the text so far is in agent-status" await 10 speaks
check "the task is not done yet" is running
end KILL "$WORKER"
worker
check "another worker asks again" await 20 is completed
same "with the next attempt" "1 2" \
	"$(events 'map(select(.type == "model.started").attempt) | map(tostring) | join(" ")')"
same "no progress is left" "" "$(get progress)$(ls "$AGENT_STORE/progress")"
end TERM "$WORKER"
done_testing
