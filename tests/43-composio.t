#!/bin/sh
# SPDX-License-Identifier: ISC
# A Composio that misbehaves, and accounts that expire while a task runs.
# shellcheck disable=SC2119 # their options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"
need curl

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
call NOTES_WRITE "text: a" "  - { on: NOTES_WRITE, at: { to: 3 }, status: 429, headers: { retry-after-ms: 20 } }"
settings <<END
attempts: 2
END
work
heard "429 is waited for, however often it comes" '^I heard: true'
same "and is no attempt" "completed 4 1" \
	"$(get state) $(count tool.started) $(executed NOTES_WRITE)"
for status in 401 403; do
	call NOTES_WRITE "text: a" "  - { on: NOTES_WRITE, at: 1, status: $status }"
	work
	same "$status: the key is waited for" "waiting key notes" \
		"$(get state) $(get waiting.for) $(get waiting.toolkit)"
	check "$status: resume" agent-signal resume "$ID"
	work
	heard "$status: then the call is made" '^I heard: true'
done
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
reconnect() { # reconnect USER: opens the link, which makes another account
	url=$(agent-connections --link --user "$1" notes |
		jq -r '.connections[0].link.url')
	curl -sf "$url" >/dev/null
}
same "a worker makes no link" 0 "$(curl -s -H 'x-api-key: k' "$COMPOSIO_BASE_URL/api/v3.1/connected_accounts" |
	jq '[.items[] | select(.id | startswith("ca_linked"))] | length')"
script -qec "agent-status $ID" /dev/null </dev/null >"$T/card"
says "a person is told the command that makes one" \
	'^connect   agent-connections --link --user ana notes' "$T/card"
agent-connections --link --user ana notes >"$T/link"
says "which says how long it lasts" '"expires_at":"20' "$T/link"
same "one that is young is shown again" "$(jq -c '.connections[0].link' "$T/link")" \
	"$(agent-connections --link --user ana notes | jq -c '.connections[0].link')"
check "the user connects again" reconnect ana
agent-signal resume "$ID" >/dev/null
work
same "reconnected and resumed: it goes on" "completed 3 notes." \
	"$(get state) $(agent-status --result "$ID")"
same "what was written is not written again" "3 0" \
	"$(executed NOTES_WRITE) $(repeated)"
linked=$(events 'map(select(.type == "account" and .account))[0].account')
check "with the new account" expr "$linked" : ca_linked
same "the request's first bytes stay" 1 "$(count pinned)"
sound
three
work
sed 's/, after: {[^}]*}//' "$T/script.$scenes" >"$T/mended"
restart "$T/mended"
agent-signal resume "$ID" >/dev/null
work
same "the same account, enabled again, will do" "completed 3 notes." \
	"$(get state) $(agent-status --result "$ID")"
three
sed 's/id: ca_ana, .*/id: ca_ana, status: EXPIRED }/
	/^accounts:/a\  - { user: ana, toolkit: notes, id: ca_other }' \
	"$T/script.$scenes" >"$T/replaced"
restart "$T/replaced"
work
same "an account replaced before the start is found" "completed 0" \
	"$(get state) $(count waiting)"

# ---- agent-preflight --wait ----
sed '/^accounts:/,/^tools:/s/user: ana, .*/user: ana, toolkit: notes, status: EXPIRED }/' \
	"$T/script.$scenes" >"$T/expired"
restart "$T/expired"
start agent-preflight --wait -f "$T/task" >"$T/waited" 2>"$T/asked"
await 10 grep -q 'http[^ ]*/link/' "$T/asked"
says "a link is told with its end" '/link/[^ ]* .until 20..-..-..T' "$T/asked"
agent-preflight --link -f "$T/task" >/dev/null 2>"$T/again"
same "and told again while it is young" "$(grep -o 'http[^ ]*' "$T/asked")" \
	"$(grep -o 'http[^ ]*' "$T/again")"
curl -sf "$(grep -o 'http[^ ]*' "$T/asked")" >/dev/null
status 0 "when it was used, the check passes" wait "$STARTED"
says "with the new account" '"accounts":[{]"notes":"ca_linked' "$T/waited"

# ---- a name that the model cannot take ----
cat >"$T/dollar" <<END
accounts:
  - { user: ana, toolkit: notes, id: ca_ana }
tools:
  - slug: NOTES_FIND
    toolkit: notes
    description: Finds notes.
    input_parameters: { type: object, properties: { filter: { type: object, properties: { \$top: { type: integer } } } }, required: [filter] }
    result: { found: '{{arguments.filter}}' }
END
NOTES=$T/dollar
scene <<END
model:
  - when: { turn: 1 }
    reply: { calls: [ { tool: NOTES_FIND, input: { filter: { dollar_top: 5 } } } ] }
  - reply: { text: ok }
END
submit "find"
work
# shellcheck disable=SC2016
same "is put back at the call" '{"filter":{"$top":5}}' \
	"$(jq -c 'select(.tool == "NOTES_FIND").arguments' "$T/ledger")"
NOTES=$T/expires

# ---- what the tool's own service says of the account ----
scene <<END
model:
  - when: { turn: 1 }
    reply: { calls: [ { tool: NOTES_BREAK } ] }
  - reply: { text: ok }
END
sed 's/error: the notebook is locked/error: "401 Client Error: Unauthorized for url"/' \
	"$T/script.$scenes" >"$T/refuses"
restart "$T/refuses"
submit "break it"
work
same "an account that the tool's service refuses is waited for" waiting "$(get state)"
restart "$T/script.$scenes"
agent-signal resume "$ID" >/dev/null
work
same "and the call made when it is mended" completed "$(get state)"
three
work
same "one that waits" waiting "$(get state)"
check "can be cancelled" agent-signal cancel "$ID"
same "without a worker" cancelled "$(get state)"
sound
# ---- scopes ----
scope() { # scope SCOPE: what ana's account grants
	NOTES=/dev/null
	scene <<-END
	accounts:
	  - { user: ana, toolkit: notes, id: ca_ana$1 }
	tools:
	  - slug: NOTES_SEND
	    toolkit: notes
	    scope_requirements: { all_of: [ notes.send, { any_of: [ notes.all, notes.write ] } ] }
	    result: {}
	  - { slug: NOTES_LOOK, toolkit: notes, result: {} }
	model: [ { reply: { text: ok } } ]
	END
	NOTES=$DATA/standin/notes.yaml
}
scope ', scope: "notes.send notes.look"'
status 1 "what an account does not grant is found out before" sh -c \
	'echo "{\"user\":\"ana\",\"goal\":\"g\",\"toolkits\":[\"notes\"],\"tools\":[\"NOTES_SEND\"]}" | agent-preflight --json --no-link'
says "with the tool, the scopes and what to do" \
	'"type":"connection_scope","message":"notes: the connection ca_ana does not grant enough: NOTES_SEND needs notes.all or notes.write: connect again' "$OUT"
status 0 "of a whole toolkit such a tool is left out" sh -c \
	'echo "{\"user\":\"ana\",\"goal\":\"g\",\"toolkits\":[\"notes\"]}" | agent-preflight --json'
says "and named" 'the tool NOTES_SEND is left out, because it cannot be offered to the model: its account does not grant enough' "$ERR"
scope ''
status 0 "nothing is refused when the scopes are not known" sh -c \
	'echo "{\"user\":\"ana\",\"goal\":\"g\",\"toolkits\":[\"notes\"],\"tools\":[\"NOTES_SEND\"]}" | agent-preflight --json'
done_testing
