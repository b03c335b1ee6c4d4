#!/bin/sh
# SPDX-License-Identifier: ISC
# Replies that the service would refuse when they are sent back, and replies that
# say nothing: they are made fit, told or asked again, and end neither the task
# nor the worker.
# shellcheck disable=SC2119 # options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

scene <<END
model:
  - when: { goal: 'blank beside a call', turn: 1 }
    reply: { blocks: [ { type: text, text: '' }, { type: text, text: " \\n" } ], calls: [ { tool: NOTES_WRITE, input: { text: a } } ] }
  - when: { goal: 'nothing but blank', turn: 1 }
    reply: { text: "\\n" }
  - when: { goal: 'announced', turn: 1 }
    reply: { text: I will write it now., stop: tool_use }
  - when: { goal: 'announced for ever' }
    reply: { text: I will write it now., stop: tool_use }
  - when: { goal: 'one id twice', turn: 1 }
    reply:
      stop: tool_use
      blocks:
        - { type: tool_use, id: toolu_1, name: NOTES_WRITE, input: { text: b } }
        - { type: tool_use, id: toolu_1, name: NOTES_WRITE, input: { text: b } }
  - when: { goal: 'one id twice', results: 'id of another call' }
    reply: { text: Seen. }
  - when: { goal: 'id again', turn: 1 }
    reply: { stop: tool_use, blocks: [ { type: tool_use, id: 'call:0', name: NOTES_WRITE, input: { text: c } } ] }
  - when: { goal: 'id again', turn: 2 }
    reply: { stop: tool_use, blocks: [ { type: tool_use, id: 'toolu_1', name: NOTES_WRITE, input: { text: d } } ] }
  - when: { goal: 'id again', turn: 3 }
    reply: { stop: tool_use, blocks: [ { type: tool_use, id: 'toolu_1', name: NOTES_WRITE, input: { text: e } } ] }
  - when: { goal: 'odd ids', turn: 1 }
    reply:
      stop: tool_use
      blocks:
        - { type: tool_use, id: "t\\x01", name: NOTES_WRITE, input: { text: odd } }
        - { type: tool_use, id: "t\\uFFFD", name: NOTES_WRITE, input: { text: odd too } }
  - when: { goal: 'no id', turn: 1 }
    reply: { stop: tool_use, blocks: [ { type: tool_use, id: '', name: NOTES_WRITE, input: { text: f } } ] }
  - when: { goal: 'no id', results: 'without an id' }
    reply: { text: Seen. }
  - when: { goal: 'a command', turn: 1 }
    reply: { stop: tool_use, blocks: [ { type: tool_use, id: toolu_1, name: 'rm -rf /tmp/x', input: {} } ] }
  - when: { goal: 'a command', results: 'rm -rf /tmp/x.* is not the name of a tool' }
    reply: { text: Seen. }
  - reply: { text: Done. }
END
try() { # try NAME WANTED GOAL
	submit "$3"
	work
	same "$1" "$2" "$(for member in state turns calls result; do get "$member"; done |
		tr '\n' ' ' | sed 's/ $//')"
}
try "blank text beside a call is left out" "completed 2 1 Done." "blank beside a call"
same "in the journal, too" tool_use \
	"$(events 'map(select(.type == "model.replied")) | .[0].content | map(.type) | join(" ")')"
submit "nothing but blank"
work
same "nothing but blank text is asked again" "failed empty_reply 3" "$(get state) $(get error.type) $(get turns)"
try "so is a call that is not there" "completed 2 0 Done." announced
submit 'announced for ever'
work
same "three times" "failed empty_reply 3" "$(get state) $(get error.type) $(get turns)"
try "the second call of one id is told" "completed 2 1 Seen." "one id twice"
try "an id that was there gets another one" "completed 4 3 Done." "id again"
same "and so does one that the service refuses" "made_up_1_1 toolu_1 made_up_3_1" \
	"$(events 'map(select(.type == "tool.finished").call) | join(" ")')"
try "two ids that could be mended to one" "completed 2 2 Done." "odd ids"
try "a call without an id is told" "completed 2 0 Seen." "no id"
same "its event has a version of its own" 2 \
	"$(events 'map(select(.broken).v) | join(" ")')"
try "so is one without a name of a tool" "completed 2 0 Seen." "a command"
same "with a name that can be sent back" "rm_-rf__tmp_x" \
	"$(events 'map(select(.type == "model.replied").content[0].name // empty) | join(" ")')"
same "what was not told was executed, once" "7 0" "$(executed NOTES_WRITE) $(repeated)"
sound

# ---- text that would steer a terminal ----
hostile='\x1b]0;a\x07\x9b31m\x7f\u202Eb\u2066\u200f\u061c'
visible='\u001b]0;a\u0007\u009b31m\u007f\u202eb\u2066\u200f\u061c'
scene <<END
model:
  - when: { goal: speak }
    reply: { text: "$hostile\\r\\n\\tend" }
faults:
  - { on: messages, at: 2, status: 400, message: "no $hostile" }
END
terminal() { script -qec "$*" /dev/null </dev/null >"$T/screen" 2>&1; }
calm() { # calm NAME TEXT: the screen has nothing that a terminal obeys, and has TEXT
	LC_ALL=C sed 's/\r$//' "$T/screen" | LC_ALL=C grep -Eq "$(printf \
		'[\001-\010\013-\037\177]|\302[\200-\237]|\330\234|\342\200[\216\217\252-\256]|\342\201[\246-\251]')"
	same "$1: nothing steers the terminal" 1 $?
	grep -Fq -e "$2" "$T/screen" || sed 's/^/# got: /' "$T/screen"
	check "$1: it is shown" grep -Fq -e "$2" "$T/screen"
}
submit speak
work
printf '\033]0;a\007\302\23331m\177\342\200\256b\342\201\246\342\200\217\330\234\r\n\tend\n' >"$T/exact"
agent-status --result "$ID" >"$T/result"
check "a file gets the result as it is" cmp "$T/exact" "$T/result"
terminal agent-status --result "$ID"
calm "the result" "$visible\\u000d"
says "with its lines and tabs" '^	end' "$T/screen"
terminal agent-status "$ID"
calm "the card" "result    $visible"
terminal agent-status --events "$ID"
calm "events" "result=$visible"
terminal agent-status --json "$ID"
calm "JSON" "\\u009b31m\\u007f\\u202eb\\u2066\\u200f\\u061c"
same "which is the same JSON" "$(get result | od -c)" "$(jq -r .result "$T/screen" | od -c)"
terminal agent-status --json --events "$ID"
calm "events in JSON" '\u202eb'
submit fail
work
same "a service refuses" failed "$(get state)"
terminal agent-status --result "$ID"
calm "an error" '\u202eb'
terminal agent-preflight -f "$T/$(printf '\342\200\256b')"
calm "a file name" '/\u202eb'
cp "$LOG" "$T/screen"
calm "the log" '\u202eb'
done_testing
