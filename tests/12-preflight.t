#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-preflight and a Composio: what passes, every reason to refuse, the
# links, and that no task passes when Composio could not be asked.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need python3 jq
: >"$T/ledger"
start python3 "$TOP/tests/preflight_server.py" "$T/address" "$T/ledger"
await 10 test -s "$T/address" || { echo "Bail out! no server"; exit 1; }
COMPOSIO_BASE_URL=$(cat "$T/address")
COMPOSIO_API_KEY=test-composio-key
export COMPOSIO_BASE_URL COMPOSIO_API_KEY

task() { # task USER [LINE...]: with gmail and linear, or what the lines say
	printf 'user: %s\ngoal: g\n' "$1"
	shift
	if [ $# -eq 0 ]; then set -- 'toolkits: [gmail, linear]' \
		'tools: [GMAIL_FETCH_EMAILS, LINEAR_CREATE_LINEAR_ISSUE]'; fi
	printf '%s\n' "$@"
}
try() { # try STATUS NAME USER [LINE...]
	wanted_status=$1 title=$2
	shift 2
	task "$@" >"$T/task"
	# shellcheck disable=SC2086 # none, or one
	status "$wanted_status" "$title" agent-preflight $link --timeout 5 -f "$T/task"
}
link=
posts() { grep -c '^POST' "$T/ledger"; }

try 0 "everything is connected" alice
says "accounts are pinned" '"accounts":\{"gmail":"ca_g","linear":"ca_l"\}' "$OUT"
says "a read is repeatable" '"slug":"GMAIL_FETCH_EMAILS","toolkit":"gmail","version":"20261101_00","account":"ca_g","repeatable":true,"on_unknown":"tell"' "$OUT"
says "a write is not" '"slug":"LINEAR_CREATE_LINEAR_ISSUE".*"account":"ca_l","repeatable":false' "$OUT"
same "one line" 1 "$(wc -l <"$OUT" | tr -d ' ')"
same "no link was made" 0 "$(posts)"
cp "$OUT" "$T/first"
try 0 "again" alice
sed 's/"checked_at":"[^"]*"//' "$OUT" >"$T/b"
sed 's/"checked_at":"[^"]*"//' "$T/first" >"$T/a"
check "gives the same bytes" cmp "$T/a" "$T/b"

try 1 "one connection is missing" bob
same "no link is made unless it is asked for, or for a person" 0 "$(posts)"
says "which is said" '^agent-preflight: --link makes links' "$ERR"
link=--link
try 1 "with --link" bob
says "which" '"type":"connection_missing","message":"linear: the user bob' "$OUT"
says "the link, over a new auth config" '"toolkit":"linear","link":\{"url":"https://connect.example/ac_new","expires_at":"2026-11-23T21:00:00.000Z"' "$OUT"
says "for people too" '^agent-preflight: linear: .*: https://connect.example/ac_new .until 2026-11-23T21:00:00.000Z.$' "$ERR"
same "two requests made it" 2 "$(posts)"
status 1 "--no-link" agent-preflight --no-link -f "$T/task"
same "makes none" 2 "$(posts)"
status 1 "the error goes through agent-preflight" sh -c \
	"agent-preflight --no-link -f '$T/task' 2>/dev/null | agent-preflight"
says "whole" '"reasons":\[\{"type":"connection_missing"' "$OUT"

try 1 "all reasons at once" carol 'toolkits: [gmail, linear, nosuch]' \
	'tools: [GMAIL_NOSUCH, GMAIL_OLD, GMAIL_BAD, X_*]' \
	'budget: {tokens: 5}'
for reason in '"unknown_tool".*GMAIL_NOSUCH' '"deprecated_tool".*GMAIL_OLD' \
	'"tool_refused".*GMAIL_BAD.*date' '"no_tool_matches".*X_' \
	'"connection_not_active".*has expired .EXPIRED, token refresh' \
	'"connection_disabled".*ca_l is active but is disabled' \
	'"unknown_toolkit".*nosuch' '"budget".*budget.tokens'; do
	says "among them $reason" "$reason" "$OUT"
done
says "the expired one's link has its own auth config" \
	'"link":\{"url":"https://connect.example/ac_gmail"' "$OUT"

link=
try 0 "all tools of a toolkit" alice 'toolkits: [linear]'
says "are pinned" '"tools":\[\{"name":"LINEAR_CREATE_LINEAR_ISSUE"' "$OUT"
try 0 "a pattern" alice 'toolkits: [gmail]' 'tools: [GMAIL_*S]'
says "picks its tools" '"tools":\[\{"name":"GMAIL_FETCH_EMAILS".*"tools":\[\{"name":"GMAIL_FETCH_EMAILS"[^}]*\}\]' "$OUT"
try 0 "a tool that the model cannot take is left out" alice 'toolkits: [gmail]'
says "by name" '^agent-preflight: the tool GMAIL_BAD is left out, .*"type": "date"' "$ERR"
same "not with the others" "GMAIL_CREATE_EMAIL_DRAFT GMAIL_FETCH_EMAILS GMAIL_ODD" \
	"$(jq -r '[.preflight.pins.tools[].name] | sort | join(" ")' "$OUT")"
# shellcheck disable=SC2016
same "a name that it cannot take has another" 'dollar_top {"dollar_top":"$top"}' \
	"$(jq -r '.preflight.pins | "\(.request.tools[] | select(.name == "GMAIL_ODD") |
		.input_schema.properties | keys[0]) \(.tools[] | select(.name == "GMAIL_ODD") | .aliases)"' "$OUT")"
try 1 "two live accounts" dora 'toolkits: [gmail]'
says "are told with their names, and none of another user" \
	'"choices":\[\{"account":"ca_g","alias":"work"\},\{"account":"ca_h","word_id":"gmail_red-castle"\}\]' "$OUT"
for choice in work ca_g; do
	try 0 "a choice, $choice" dora 'toolkits: [gmail]' "accounts: {gmail: $choice}"
	says "is used" '"accounts":\{"gmail":"ca_g"\},"pins"' "$OUT"
done
try 1 "a choice of what another user has" dora 'toolkits: [gmail]' 'accounts: {gmail: ca_bob}'
says "is none" 'dora has no account ca_bob' "$OUT"
try 0 "tools without auth need no account" nobody 'tools: [NEWS_GET]'
says "and have none" '"accounts":\{\}' "$OUT"

# from an identified user, whose input is not trusted
printf '{"goal":"g","toolkits":["linear"]}' >"$T/task"
check "a task gets its user" agent-preflight --user alice -f "$T/task"
says "from --user" '^\{"user":"alice"|"user":"alice"' "$OUT"
check "a summary" agent-preflight --summary --user alice -f "$T/task"
same "has no bulk" '{"ok":true,"accounts":{"linear":"ca_l"},"tools":["LINEAR_CREATE_LINEAR_ISSUE"]}' "$(cat "$OUT")"
printf '{"user":"bob","goal":"g"}' >"$T/task"
status 100 "another's task" agent-preflight --user alice -f "$T/task"
says "is told" 'user must be ."alice."' "$OUT"
printf '{"goal":"g","preflight":{"accounts":{},"pins":{"request":{},"tools":[]}}}' >"$T/task"
status 100 "pins of somebody's own" agent-preflight --user alice -f "$T/task"
printf 'goal: g\n' >"$T/task"
status 100 "YAML" agent-preflight --user alice -f "$T/task"
printf '{"error":{"type":"x","message":"m","retryable":true,"exit":111}}' >"$T/task"
status 100 "an error object of somebody's own" agent-preflight --user alice -f "$T/task"

before=$(posts)
check "connections" agent-connections --link --user carol gmail linear nosuch
says "one that has expired, with its link" '"toolkit":"gmail","state":"expired","account":"[^"]*","reason":"gmail: [^"]*","link":\{"url":"https' "$OUT"
says "one that is disabled" '"toolkit":"linear","state":"disabled"' "$OUT"
says "one that is none" '"toolkit":"nosuch","state":"unknown_toolkit"' "$OUT"
check "links were made" test "$(posts)" -gt "$before"
before=$(posts)
check "--no-link" agent-connections --no-link --user bob linear
same "makes none" '{"connections":[{"toolkit":"linear","state":"missing","reason":"linear: the user bob has not connected it"}]}' "$(cat "$OUT")"
check "what a user has" agent-connections --user alice
says "is told" '"toolkit":"gmail","state":"active","account":"ca_g"' "$OUT"
same "no link was made" "$before" "$(posts)"
status 100 "a bad name" agent-connections --user alice 'a,b'
status 100 "no user" agent-connections gmail
status 111 "connections while Composio is down" agent-connections --user down gmail

# ---- probes ----
cat >"$T/probes" <<END
probes: {probe: PROBE_PROFILE, gmail: GMAIL_CREATE_EMAIL_DRAFT}
END
AGENT_CONFIG=$T/probes
export AGENT_CONFIG
try 0 "a probe" dan 'toolkits: [probe]'
says "tells whose account it is" '^agent-preflight: probe: the account is that of dan@example.net$' "$ERR"
check "a summary" agent-preflight --summary -f "$T/task"
says "has it" '"owners":\{"probe":"dan@example.net"\}' "$OUT"
before=$(posts)
link=--link
try 1 "an active account that its own service refuses" erin 'toolkits: [probe]'
says "is a reason, with a link" '"type":"connection_refused",.*401 Client Error.*"link":\{"url":"https://connect.example/ac_probe"' "$OUT"
same "one probe, one link" $((before + 2)) "$(posts)"
link=
try 0 "when the service is broken" fay 'toolkits: [probe]'
says "there is a warning" '^agent-preflight: probe: nobody knows whether the connection ca_p works' "$ERR"
try 100 "a probe that changes something" alice 'toolkits: [gmail]'
says "is refused" 'probes.gmail: GMAIL_CREATE_EMAIL_DRAFT is not a tool of gmail that only reads' "$OUT"
unset AGENT_CONFIG

# ---- the model ----
asked() { grep -c "^GET /v1/models/" "$T/ledger"; }
ANTHROPIC_BASE_URL=$(cat "$T/address")
ANTHROPIC_API_KEY=test-model-key
export ANTHROPIC_BASE_URL ANTHROPIC_API_KEY
same "without a key the model's service is not asked" 0 "$(asked)"
try 0 "the model is there" alice 'toolkits: [linear]'
try 0 "again" alice 'toolkits: [linear]' 'max_tokens: 128000'
same "asked once" 1 "$(asked)"
try 1 "more max_tokens than it gives" alice 'max_tokens: 128001'
says "is a reason" '"type":"model",.*at most 128000","member":"max_tokens"' "$OUT"
try 1 "no such model" alice 'model: claude-nosuch'
says "is a reason, too" '"type":"model",.*no model claude-nosuch: model: claude-nosuch","member":"model"' "$OUT"
try 0 "a service that does not tell of models is believed" alice 'model: claude-elsewhere'
try 111 "one that is busy" alice 'model: claude-busy'
ANTHROPIC_API_KEY=wrong-key try 111 "one that refuses the key" alice
says "says so" '"type":"bad_key"' "$OUT"
touched=$(sed 's/"at":[0-9]*/"at":1/g' "$HOME/.cache/agent-utils/models.json")
echo "$touched" >"$HOME/.cache/agent-utils/models.json"
try 0 "what is old is asked for again" alice
same "and only then" 1 "$(grep -c '"found":true' "$HOME/.cache/agent-utils/models.json")"
check "the key is not in the cache" sh -c "! grep -q test-model-key '$HOME/.cache/agent-utils/models.json'"
unset ANTHROPIC_BASE_URL ANTHROPIC_API_KEY

try 111 "Composio is down" down
try 111 "Composio answers garbage" garbage
try 111 "facts without their shape" shapeless
task hang >"$T/task"
status 111 "Composio hangs" agent-preflight --timeout 1 -f "$T/task"
says "is a time-out" '"type":"timeout"' "$OUT"
COMPOSIO_API_KEY=wrong-key
try 100 "a wrong key" alice
cat "$OUT" "$ERR" >"$T/both"
status 1 "is not shown" grep wrong-key "$T/both"
unset COMPOSIO_API_KEY
echo test-composio-key >"$T/key"
COMPOSIO_API_KEY_FILE=$T/key
export COMPOSIO_API_KEY_FILE
try 0 "a key from a file" alice
example=$TOP/k8s-manifests/secrets.example
COMPOSIO_API_KEY_FILE=$example/composio-api-key try 100 "the example's key" alice
says "is refused by the file's name" 'composio-api-key .*is still the example' "$OUT"
ANTHROPIC_API_KEY_FILE=$example/anthropic-api-key \
	status 100 "by a worker, too" agent-worker --store "$T/store" --once
says "with words" 'anthropic-api-key .*is still the example' "$OUT"
check "from cron: no terminal, no HOME, nothing else" env -i \
	COMPOSIO_BASE_URL="$COMPOSIO_BASE_URL" \
	COMPOSIO_API_KEY_FILE="$T/key" "$BIN/agent-preflight" -f "$T/task"
done_testing
