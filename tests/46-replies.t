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
done_testing
