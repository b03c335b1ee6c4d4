#!/bin/sh
# SPDX-License-Identifier: ISC
# A Composio that misbehaves, and accounts that expire while a task runs.
# shellcheck disable=SC2119 # their options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

# call TOOL INPUT FAULT: a scene of one call; the model repeats what it was told
# about it.
call() {
	scene <<-END
	model:
	  - when: { turn: 1 }
	    reply: { calls: [ { tool: $1, input: { $2 } } ] }
	  - reply: { text: 'I heard: {{calls.$1.0.ok}} {{calls.$1.0.text}}' }
	faults:
	  - { on: nothing, at: 1 }
	$3
	END
	submit "call it"
}
heard() { # heard NAME PATTERN
	agent-status --result "$ID" >"$T/result" 2>&1
	says "$1" "$2" "$T/result"
}

call NOTES_WRITE "text: a" ""
work
heard "a result is the tool's data" '^I heard: true .*"written": ?"a"'
call NOTES_BREAK "" ""
work
heard "successful: false is an error that says why" \
	'^I heard: false .*notebook is locked'
same "is_error" true \
	"$(events 'map(select(.type == "tool.finished"))[0].is_error')"
call NOTES_WRITE "text: a" "  - { on: NOTES_WRITE, status: 404, slug: Tool_ToolNotFound, message: no such tool }"
work
heard "a tool that is gone" '^I heard: false .*did not run.*no longer there'
same "was not executed, and not tried again" "0 1" \
	"$(executed NOTES_WRITE) $(count tool.started)"
call NOTES_WRITE "text: a" "  - { on: NOTES_WRITE, status: 400, message: text is too short }"
work
heard "bad arguments" '^I heard: false .*did not run.*text is too short'
call NOTES_WRITE "text: a" "  - { on: NOTES_WRITE, status: 413, message: too large }"
work
heard "a result that is too large for the service" '^I heard: false .*ran.*too large'
call NOTES_WRITE "text: a" "  - { on: NOTES_WRITE, at: { to: 2 }, status: 429, headers: { retry-after-ms: 20 } }"
work
heard "429: the call did not happen and is made again" '^I heard: true'
same "executed once, at the third try" "1 3 2 0" \
	"$(executed NOTES_WRITE) $(count tool.started) $(count tool.failed) $(count tool.unknown)"
call NOTES_WRITE "text: a" "  - { on: NOTES_WRITE, status: 429, headers: { retry-after-ms: 20 } }"
settings <<END
attempts: 3
END
work
heard "429 for ever comes to an end" '^I heard: false .*Not run'
same "after so many tries" "completed 3" "$(get state) $(count tool.started)"
call NOTES_WRITE "text: a" "  - { on: NOTES_WRITE, at: 1, status: 429, headers: { retry-after: 900 } }"
work
same "a long wait holds no worker" "waiting " "$(get state) $(get worker)"
check "resume" agent-signal resume "$ID"
work
heard "then the call is made" '^I heard: true'
same "once" 1 "$(executed NOTES_WRITE)"

# ---- a long result ----
call NOTES_WRITE "text: '$(head -c 5000 /dev/zero | tr '\0' x) end'" ""
settings <<END
result_bytes: 1000
END
work
heard "a long result is cut with a mark" '^I heard: true .*xx$'
says "that says how much" 'cut here: the first 1000 of [0-9]+ bytes' "$T/result"
check "the model did not see its end" sh -c "! grep -q 'x end' '$T/result'"
same "the journal has the whole" true \
	"$(events 'map(select(.type == "tool.finished"))[0].whole.written | endswith("x end")')"

call NOTES_WRITE "text: '$(head -c 5000 /dev/zero | tr '\0' x) end'" ""
settings <<END
result_bytes: 1000
result_bytes_max: 4000
END
work
heard "of a longer one the model sees as much" '^I heard: true .*xx$'
says "it is not kept, and that is said" \
	'cut here: the first 1000 of [0-9]+ bytes are shown. The call was made, but' "$T/result"
same "nor does the journal have it" "null true" \
	"$(events 'map(select(.type == "tool.finished"))[0] | "\(.whole) \(.whole_bytes > 5000)"')"

# ---- an account that expires in the middle ----
cat >"$T/expires" <<END
accounts:
  - { user: ana, toolkit: notes, id: ca_ana, after: { calls: 2, status: EXPIRED, status_reason: token refresh failed } }
END
sed -n '/^tools:/,$p' "$DATA/standin/notes.yaml" >>"$T/expires"
NOTES=$T/expires
three() {
	scene <<-END
	model:
	  - when: { turn: { to: 3 } }
	    reply: { calls: [ { tool: NOTES_WRITE, input: { text: 'note {{turn}}' } } ] }
	  - reply: { text: '{{ok.NOTES_WRITE}} notes.' }
	END
	submit "three notes"
}
three
work
same "it waits when the account has expired" "waiting 2" \
	"$(get state) $(executed NOTES_WRITE)"
get reason >"$T/reason"
says "for the connection" "^connection: notes: " "$T/reason"
same "nobody has it" "" "$(get worker)"
check "it looks again by itself" test -n "$(get due)"
agent-signal resume "$ID" >/dev/null
work
same "resumed before it is mended: it waits again" "waiting 2" \
	"$(get state) $(executed NOTES_WRITE)"
sed 's/, after: {[^}]*}//' "$T/script.$scenes" >"$T/mended"
restart "$T/mended"
agent-signal resume "$ID" >/dev/null
work
same "mended and resumed: it goes on" "completed 3 notes." \
	"$(get state) $(agent-status --result "$ID")"
same "what was written is not written again" "3 0" \
	"$(executed NOTES_WRITE) $(repeated)"
sound
three
work
same "one that waits" waiting "$(get state)"
check "can be cancelled" agent-signal cancel "$ID"
same "without a worker" cancelled "$(get state)"
sound
done_testing
