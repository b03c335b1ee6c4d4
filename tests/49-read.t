#!/bin/sh
# SPDX-License-Identifier: ISC
# Results that are shown cut, or that a compaction has cut, are read on with a tool
# of our own, out of the journal.
# shellcheck disable=SC2119 # options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

NOTES=$T/tools
tool() { # tool NAME RESULT
	cat <<-END
	  - slug: $1
	    toolkit: notes
	    read_only: true
	    input_parameters: { type: object, properties: { page: { type: integer } } }
	    result: { text: "$2" }
	END
}
{
	printf 'accounts:\n  - { user: ana, toolkit: notes, id: ca_ana }\ntools:\n'
	# 250,000 bytes in characters of two
	tool BOOK_READ "$(printf '%0125000d' 0 | sed 's/0/é/g') end"
	tool PAGE_READ "$(printf '%060000d' 0) end"
	tool read_result mine
} >"$NOTES"
first='{{calls.BOOK_READ.0.id}}'

scene <<END
model:
  - when: { turn: 1 }
    reply: { calls: [ { tool: BOOK_READ, input: { page: 1 } } ] }
  - when: { turn: 2 }
    reply:
      calls:
        - { tool: read_result, input: { call: '$first', from: 100000, length: 100000 } }
        - { tool: read_result, input: { call: '$first', from: 200000, length: 900000 } }
        - { tool: read_result, input: { call: '$first', from: 900000, length: 1 } }
        - { tool: read_result, input: { call: toolu_none, from: 0, length: 1 } }
        - { tool: BOOK_READ, input: { page: 2 } }
  - reply: { text: '{{calls.read_result.1.text}}' }
END
submit book "tools: [BOOK_READ]"
work
events 'map(select(.type == "tool.finished").block.content | .[-200:])[]' >"$T/ends"
says "a long result is cut, with how to read on" \
	'cut here: the first 99999 of 250015 bytes are shown; read_result with call "[^"]*" and from 99999 shows' "$T/ends"
says "its middle is read, whole characters" \
	'^é*é$' "$T/ends"
says "and said where it is" '^\[bytes 99999 to 199999 of 250015; what follows is from 199999\]$' "$T/ends"
get result >"$T/result"
says "its end is read" 'é end"}$' "$T/result"
says "and said to be it" '^\[bytes 199999 to 250015 of 250015; this is its end\]$' "$T/result"
says "beyond it there is nothing" '^Of that result, 250015 bytes are kept: from must be less\.$' "$T/ends"
says "nor of a call that was not made" '^There is no earlier call "toolu_none" with a result\.$' "$T/ends"
same "nothing else was asked for that" "completed 2 2" \
	"$(get state) $(executed BOOK_READ) $(count tool.started)"
sound

# ---- a compaction has cut it ----
scene <<END
model:
  - when: { turn: 1 }
    reply: { calls: [ $(seq -f '{ tool: PAGE_READ, input: { page: %g } }' -s ', ' 14) ] }
  - when: { turn: 2 }
    reply: { calls: [ { tool: read_result, input: { call: '{{calls.PAGE_READ.0.id}}', from: 59000, length: 100000 } } ] }
  - reply: { text: '{{calls.read_result.0.text}}' }
END
submit pages "model: claude-haiku-4-5" "tools: [PAGE_READ]"
work
get result >"$T/result"
same "the conversation had no room" "completed cut" \
	"$(get state) $(events 'map(select(.type == "compacted").by) | unique | join(" ")')"
says "what was cut is read again" '^0*0 end"}$' "$T/result"
sound

# ---- a tool of the task has the name ----
scene <<END
model:
  - when: { turn: 1 }
    reply: { calls: [ { tool: read_result, input: { page: 1 } } ] }
  - when: { turn: 2 }
    reply: { calls: [ { tool: read_result_2, input: { call: '{{calls.read_result.0.id}}', from: 2, length: 4 } } ] }
  - reply: { text: '{{calls.read_result.0.text}} {{calls.read_result_2.0.text}}' }
END
submit mine "tools: [read_result]"
work
get result >"$T/result"
says "the task's own tool keeps it" '^\{"text":"mine"\} text' "$T/result"
same "and is the one that was called" "completed 1" "$(get state) $(executed read_result)"
sound
done_testing
