#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-standin: as strict as the services, its rules, faults, ledger, state.
# shellcheck disable=SC2016  # the dollars and backquotes are jq's and the API's
. "$(dirname "$0")/lib.sh"

need curl jq

DATA=$TOP/tests/data
BODY=$T/body HEAD=$T/head REQUEST=$T/request
AUTH='authorization: Bearer good-claude-key' VERSION=2026-10-21
KEY='x-api-key: good-composio-key'

# claude METHOD PATH [CURL OPTION...]: status in $GOT, answer in $BODY
claude() {
	method=$1 path=$2
	shift 2
	GOT=$(curl -sS -N -m 20 -X "$method" -o "$BODY" -D "$HEAD" -w '%{http_code}' \
		-H "$AUTH" -H "anthropic-version: $VERSION" \
		-H 'content-type: application/json' "$@" "$URL$path" 2>"$ERR")
}

composio() {
	method=$1 path=$2
	shift 2
	GOT=$(curl -sS -m 20 -g -X "$method" -o "$BODY" -D "$HEAD" -w '%{http_code}' \
		-H "$KEY" -H 'content-type: application/json' \
		"$@" "$URL/api/v3.1/$path" 2>"$ERR")
}

# execute USER ACCOUNT TOOL ARGUMENTS [VERSION]
execute() {
	jq -nc --arg u "$1" --arg a "$2" --argjson x "$4" --arg v "${5-latest}" \
		'{arguments: $x, version: $v}
		+ (if $u == "" then {} else {user_id: $u} end)
		+ (if $a == "" then {} else {connected_account_id: $a} end)' >"$REQUEST"
	composio POST "tools/execute/$3" --data-binary @"$REQUEST"
}

jq_says() { # jq_says NAME FILTER: true of the answer
	cp "$BODY" "$OUT"
	jq -e "$2" "$BODY" >/dev/null 2>"$ERR"
	ok $? "$1"
}

# refused STATUS TYPE TEXT NAME FILTER: the plain request, changed by FILTER
refused() {
	jq -c "$5" "$T/plain" >"$REQUEST"
	claude POST /v1/messages --data-binary @"$REQUEST"
	cp "$BODY" "$OUT"
	[ "$GOT" = "$1" ] && jq -e --arg t "$2" --arg m "$3" '.type == "error"
		and .error.type == $t and (.error.message | contains($m))
		and (.request_id | startswith("req_"))' "$BODY" >/dev/null 2>&1
	ok $? "$4"
}

# Puts the pieces of a streamed answer together again.
assemble() {
	sed -n 's/^data: //p' "$BODY" | jq -sc '
	reduce .[] as $e ({};
		if $e.type == "message_start" then $e.message
		elif $e.type == "content_block_start" then
			.content[$e.index] = $e.content_block | .parts[$e.index] = ""
		elif $e.type == "content_block_delta" then
			if $e.delta.type == "text_delta" then
				.content[$e.index].text += $e.delta.text
			elif $e.delta.type == "thinking_delta" then
				.content[$e.index].thinking += $e.delta.thinking
			elif $e.delta.type == "signature_delta" then
				.content[$e.index].signature = $e.delta.signature
			else .parts[$e.index] += $e.delta.partial_json end
		elif $e.type == "content_block_stop" then
			if .parts[$e.index] != "" and .content[$e.index].type == "tool_use"
			then .content[$e.index].input = (.parts[$e.index] | fromjson)
			else . end
		elif $e.type == "message_delta" then
			. + $e.delta | .usage += $e.usage
		else . end) | del(.parts)'
}

jq -n '{model: "claude-opus-5-5", max_tokens: 1000,
	messages: [{role: "user", content: "hi there"}],
	tools: [{name: "TEST_ECHO", input_schema: {type: "object"}}]}' >"$T/plain"

# --- usage ---
status 100 "no script is bad usage" agent-standin
status 100 "a host that is not loopback is refused" \
	agent-standin --script "$DATA/standin/basic.yaml" --listen 0.0.0.0:0
echo 'modle: []' >"$T/bad.yaml"
status 100 "an unknown member of the script is refused" agent-standin --script "$T/bad.yaml"
says "with the nearest known one" 'did you mean .*model' "$ERR"
echo 'model: [{when: {goal: "("}, reply: {text: x}}]' >"$T/bad.yaml"
status 100 "a bad expression in the script is refused" agent-standin --script "$T/bad.yaml"
echo 'faults: [{on: messages, kind: hnag}]' >"$T/bad.yaml"
status 100 "an unknown fault is refused" agent-standin --script "$T/bad.yaml"
echo 'not an mbox' >"$T/not.mbox"
status 100 "a mailbox that is no mbox is refused" agent-standin \
	--script "$DATA/standin/basic.yaml" --mailbox "$T/not.mbox"

for script in "$TOP/scripts/examples/standin-triage.yaml" "$T/man.yaml"; do
	sed -n '/^accounts:/,/^\.Ed/p' "$TOP/man/agent-standin.5" | sed '/^\.Ed/d' >"$T/man.yaml"
	standin "$script" 2>"$ERR"
	ok $? "$(basename "$script") loads"
	kill -TERM "$STANDIN"
	wait "$STANDIN"
done

standin "$DATA/standin/basic.yaml" --mailbox "$DATA/mailbox.mbox" \
	--state "$T/state" || exit 1
await 5 test -s "$T/standin.out"
same "the address is the first line on stdout" "$URL" "$(head -n 1 "$T/standin.out")"

# --- Claude: headers ---
claude POST /v1/messages --data-binary @"$T/plain"
same "a plain request is answered" 200 "$GOT"
says "with a request id" '^request-id: req_' "$HEAD"
jq_says "with a message" '.type == "message" and .role == "assistant"
	and .stop_reason == "end_turn" and (.content | map(.type)) == ["thinking", "text"]
	and .content[0].thinking == "" and .content[1].text == "Hello! You said: hi there"
	and .usage.input_tokens > 0 and .usage.output_tokens > 0'
plain() { claude POST /v1/messages --data-binary @"$T/plain" "$@"; }
VERSION=2030-01-01
plain
same "a version that is unknown is refused" 400 "$GOT"
VERSION=
plain
same "no version is refused" 400 "$GOT"
VERSION=2023-06-01
plain
same "the old version is still taken" 200 "$GOT"
VERSION=2026-10-21
plain -H 'x-api-key: good-claude-key'
same "two keys are refused" 401 "$GOT"
AUTH=authorization:
plain
same "no key is refused" "401 authentication_error" "$GOT $(jq -r .error.type "$BODY")"
AUTH='authorization: Bearer wrong'
plain
same "a wrong key is refused" 401 "$GOT"
AUTH='x-api-key: good-claude-key'
plain
same "x-api-key alone is taken" 200 "$GOT"
AUTH='authorization: Bearer good-claude-key'
claude POST /v1/messages --data-binary @"$T/plain" -H 'anthropic-beta: compact-2026-09-04, no-such-beta'
same "an unknown beta is refused" 400 "$GOT"
claude GET /v1/models
jq_says "the models are listed" '.data | map(.id) | index("claude-opus-5-5") != null'
claude GET /v1/models/claude-sonnet-5-5
jq_says "a model tells what it can" '.capabilities.thinking.types.between_tools.supported
	and .max_tokens == 128000 and .lifecycle == "active"'
claude GET /v1/models/claude-2
same "an unknown model is not found" 404 "$GOT"
jq -c 'del(.max_tokens)' "$T/plain" >"$REQUEST"
claude POST /v1/messages/count_tokens --data-binary @"$REQUEST"
jq_says "tokens are counted" '.input_tokens > 5'
claude POST /v1/messages --data-binary '{"model":'
same "what is no JSON is refused" 400 "$GOT"
head -c 34000000 /dev/zero >"$T/huge"
claude POST /v1/messages --data-binary @"$T/huge" -H 'expect:'
same "a body over 32 MB is refused" "413 request_too_large" "$GOT $(jq -r .error.type "$BODY")"
rm "$T/huge"

# --- Claude: the request ---
I=invalid_request_error
refused 400 $I 'model: Field required' "no model" 'del(.model)'
schema() { # schema NAME TEXT SCHEMA: of jq
	refused 400 $I "$2" "$1" ".tools = [{name: \"t\", input_schema: ({type: \"object\"} + $3)}]"
}
for union in anyOf oneOf allOf; do
	schema "$union at the top" 'does not support oneOf, allOf, or anyOf' "{$union: [{}]}"
done
while IFS='|' read -r name bad; do
	schema "a schema with $name" 'JSON schema is invalid' "{properties: {a: $bad}}"
done <<'END'
a draft-4 bound|{type: "number", minimum: 0, exclusiveMinimum: true}
an unknown type|{type: "strng"}
no types|{type: []}
a text as required|{required: "a"}
a name required twice|{required: ["a", "b", "a"]}
a flag as required|{required: true}
a list of items|{type: "array", items: [{}]}
an empty union|{anyOf: []}
a length below 0|{minLength: -1}
a text as enum|{enum: "a"}
one deeper|{items: {properties: {b: {type: "date"}}}}
END
schema "a key that cannot be" 'Property keys' '{properties: {a: {properties: {"$top": {}}}}}'
refused 400 $I 'color: Extra inputs' "an unknown member of a tool" '.tools[0].color = 1'
refused 400 $I 'Input tag' "a type of tool that is not there" '.tools[0].type = "hammer"'
refused 400 $I 'fallback_credit_token: Extra' "another" '.fallback_credit_token = "x"'
refused 400 $I 'billing_policy: Extra' "a third" '.billing_policy = {type: "billing_policy", bill_to: "self"}'
refused 400 $I 'mcp_server_name: Field' "a toolset without its server" '.tools = [{type: "mcp_toolset"}]'
refused 400 $I 'expected tags' "a kind of tool of a date that is none" '.tools = [{type: "bash_20990101", name: "bash"}]'
refused 400 $I 'context_management: Extra' "a member of a beta without its header" '.context_management = {edits: []}'
refused 400 $I 'task_budget: Extra' "one further down" '.output_config.task_budget = {type: "tokens", total: 20000}'
refused 400 $I 'service_tier' "a tier that is not there" '.service_tier = "best"'
refused 400 $I 'metadata.mood' "unknown metadata" '.metadata = {mood: "good"}'
refused 404 not_found_error 'model: claude-9' "an unknown model" '.model = "claude-9"'
refused 400 $I 'max_tokens: Field required' "no max_tokens" 'del(.max_tokens)'
refused 400 $I 'maximum allowed' "too large max_tokens" '.max_tokens = 200000'
refused 400 $I 'temperature' "temperature" '.temperature = 1'
refused 400 $I 'top_p' "top_p" '.top_p = 0.9'
refused 400 $I 'top_k' "top_k" '.top_k = 5'
refused 400 $I 'Extra inputs' "an unknown member" '.max_token = 5'
refused 400 $I 'thinking.type.adaptive' "thinking with a budget on a new model" \
	'.thinking = {type: "enabled", budget_tokens: 2000}'
refused 400 $I 'disabled' "thinking cannot be switched off everywhere" '.thinking = {type: "disabled"}'
refused 400 $I 'effort' "an unknown effort" '.output_config = {effort: "huge"}'
refused 400 $I 'Field required' "no messages" 'del(.messages)'
refused 400 $I 'at least one message' "empty messages" '.messages = []'
refused 400 $I 'non-empty content' "empty content" '.messages[0].content = ""'
refused 400 $I 'must be non-empty' "an empty text block" '.messages[0].content = [{type: "text", text: ""}]'
refused 400 $I 'first message' "the assistant speaks first" '.messages = [{role: "assistant", content: "x"}] + .messages'
refused 400 $I 'prefill' "a prefilled reply" '.messages += [{role: "assistant", content: "x"}]'
refused 400 $I 'role' "an unknown role" '.messages[0].role = "tool"'
refused 400 $I 'pattern' "a bad tool name" '.tools[0].name = "a b"'
refused 400 $I 'unique' "two tools of one name" '.tools += .tools'
refused 400 $I 'input_schema' "a tool without a schema" 'del(.tools[0].input_schema)'
refused 400 $I 'Property keys' "a bad key deep in a schema" \
	'.tools[0].input_schema.properties = {a: {type: "object", properties: {"$top": {}}}}'
refused 400 $I 'tool_choice' "forced tools on a new model" '.tool_choice = {type: "any"}'
refused 400 $I 'maximum of 4 blocks' "five cache markers" '.system = [range(5)
	| {type: "text", text: "s", cache_control: {type: "ephemeral"}}]'
refused 400 $I 'must not come after' "a long marker after a short one" '.system = [
	{type: "text", text: "s", cache_control: {type: "ephemeral"}},
	{type: "text", text: "s", cache_control: {type: "ephemeral", ttl: "1h"}}]'
refused 400 $I 'citations' "citations in a user message" \
	'.messages[0].content = [{type: "text", text: "x", citations: [{}]}]'

# --- Claude: tools and their results ---
jq -c '.messages[0].content = "use the echo" | .system = "s"' "$T/plain" >"$REQUEST"
claude POST /v1/messages --data-binary @"$REQUEST"
cp "$BODY" "$T/turn1"
jq_says "a rule calls tools" '.stop_reason == "tool_use"
	and (.content | map(.type)) == ["thinking", "text", "tool_use", "tool_use"]
	and .content[2].input == {text: "one “quoted” use the echo"}
	and .content[3].input == {text: "two", number: 1.5, deep: [1, {a: null}]}
	and .content[2].id != .content[3].id and (.content[2].id | startswith("toolu_"))'
claude POST /v1/messages --data-binary @"$REQUEST"
same "the same request gives the same reply" "$(jq -S .content "$T/turn1")" "$(jq -S .content "$BODY")"
jq -c '.stream = true' "$REQUEST" >"$T/streamed"
claude POST /v1/messages --data-binary @"$T/streamed"
same "streamed, it is the same" "$(jq -Sc .content "$T/turn1")" "$(assemble | jq -Sc .content)"
same "the events are in order" \
	"message_start content_block_start content_block_delta content_block_stop ping" \
	"$(sed -n 's/^event: //p' "$BODY" | head -n 5 | tr '\n' ' ' | sed 's/ $//')"
says "the stream has an input in pieces" 'input_json_delta' "$BODY"
same "the stream ends with message_stop" message_stop "$(sed -n 's/^event: //p' "$BODY" | tail -n 1)"

jq -c --slurpfile m "$T/turn1" '.messages[0].content = "use the echo" | .system = "s"
	| .messages += [{role: "assistant", content: $m[0].content},
	{role: "user", content: [$m[0].content[] | select(.type == "tool_use")
	| {type: "tool_result", tool_use_id: .id, content: "{\"said\":\"you said it\"}"}]}]' \
	"$T/plain" >"$T/turn2"
claude POST /v1/messages --data-binary @"$T/turn2"
cp "$BODY" "$T/reply2"
jq_says "results reach the rules" '.content[1].text == "Heard you said it; 2 calls, 2 well."'
cp "$T/plain" "$T/plain1"
cp "$T/turn2" "$T/plain"
refused 400 $I 'without `tool_result` blocks immediately after: toolu_' "a result is missing" 'del(.messages[2].content[1])'
refused 400 $I 'without `tool_result`' "no results at all" '.messages[2].content = "well?"'
refused 400 $I 'without `tool_result`' "text before the results" '.messages[2].content = [{type: "text", text: "x"}] + .messages[2].content'
refused 400 $I 'unexpected `tool_use_id`' "a result of no call" '.messages[2].content[0].tool_use_id = "toolu_x"'
refused 400 $I 'multiple `tool_result`' "two results of one call" '.messages[2].content += [.messages[2].content[0]]'
refused 400 $I 'must define tools' "no tools although there were calls" 'del(.tools) | .messages[1].content[0:2] = []'
refused 400 $I 'bound to a different conversation' "a changed system prompt" '.system = "other"'
refused 400 $I 'messages.1.content.0' "a changed goal" '.messages[0].content = "use the echo!"'
refused 400 $I 'bound to a different' "changed tools" '.tools[0].description = "new"'
refused 400 $I 'cannot be modified' "an edited thinking block" '.messages[1].content[0].thinking = "hm"'
refused 400 $I 'Invalid `signature`' "a foreign signature" '.messages[1].content[0].signature = "abcd"'
jq -c '.cache_control = {type: "ephemeral"} | .system = [{type: "text", text: "s",
	cache_control: {type: "ephemeral"}}] | .messages[0].content = [{type: "text",
	text: "use the echo"}] | .messages[2] as $r | .messages[2:3] = [$r.content[]
	| {role: "user", content: [.]}]' "$T/turn2" >"$REQUEST"
claude POST /v1/messages --data-binary @"$REQUEST"
same "markers, blocks and split messages are no change" 200 "$GOT"
jq -c --slurpfile m "$T/reply2" '.messages += [{role: "assistant", content: $m[0].content},
	{role: "user", content: "and now?"}]' "$T/turn2" >"$REQUEST"
claude POST /v1/messages --data-binary @"$REQUEST"
same "a third turn with both thinking blocks" 200 "$GOT"
cp "$T/plain1" "$T/plain"

jq -c '.system = ("words " * 1000) | .cache_control = {type: "ephemeral"}' "$T/plain" >"$REQUEST"
claude POST /v1/messages --data-binary @"$REQUEST"
jq_says "a marker writes the cache" '.usage.cache_creation_input_tokens > 1000 and .usage.cache_read_input_tokens == 0'
jq -c --slurpfile m "$BODY" '.messages += [{role: "assistant", content: $m[0].content},
	{role: "user", content: "more"}]' "$REQUEST" >"$T/next"
claude POST /v1/messages --data-binary @"$T/next"
jq_says "the next turn reads it" '.usage.cache_read_input_tokens > 1000 and .usage.cache_creation_input_tokens > 0'

# A breakpoint looks back 20 blocks, its own included.
wide() { # wide N: a turn of N blocks after the last one
	jq -c --slurpfile m "$BODY" --argjson n "$1" '.messages += [{role: "assistant", content: $m[0].content},
		{role: "user", content: [range($n) | {type: "text", text: "block \(.)"}]}]' "$T/next" >"$T/wide"
	claude POST /v1/messages --data-binary @"$T/wide"
}
blocks=$(jq '.content | length' "$BODY")
wide $((20 - blocks))
jq_says "20 blocks later the cache is not found" '.usage.cache_read_input_tokens == 0'
claude POST /v1/messages --data-binary @"$T/next"
wide $((19 - blocks))
jq_says "19 blocks later it is" '.usage.cache_read_input_tokens > 1000'

jq -c '.messages[0].content = "pause please"' "$T/plain" >"$REQUEST"
claude POST /v1/messages --data-binary @"$REQUEST"
jq_says "a turn can be paused" '.stop_reason == "pause_turn"'
jq -c --slurpfile m "$BODY" '.messages += [{role: "assistant", content: $m[0].content}]' "$REQUEST" >"$T/next"
claude POST /v1/messages --data-binary @"$T/next"
jq_says "and goes on" '.content[-1].text == "Resumed."'
jq -c '.messages[0].content = "refuse"' "$T/plain" >"$REQUEST"
claude POST /v1/messages --data-binary @"$REQUEST"
jq_says "a refusal has details" '.stop_reason == "refusal" and .stop_details.explanation == "because"'
jq -c '.messages[0].content = "strange" | .stream = true' "$T/plain" >"$REQUEST"
claude POST /v1/messages --data-binary @"$REQUEST"
same "blocks and usage of the script" '["redacted_thinking","new_thing","text"] 4711' \
	"$(assemble | jq -c '.content | map(.type)') $(assemble | jq .usage.output_tokens)"

# --- Composio: looking up ---
KEY=x-api-key:
composio GET tools
same "Composio: no key" "401 HTTP_Unauthorized" "$GOT $(jq -r .error.slug "$BODY")"
KEY='x-api-key: good-composio-key'
composio GET tools -H 'x-user-api-key: good-composio-key'
same "Composio: two keys" 401 "$GOT"
composio GET 'tools?tool_slugs=GMAIL_FETCH_EMAILS%2CTEST_ECHO%2CNO_SUCH&toolkit_versions%5Bgmail%5D=20261101_00'
jq_says "tools by slug" '(.items | map(.slug)) == ["GMAIL_FETCH_EMAILS", "TEST_ECHO"]
	and .next_cursor == null and .total_items == 2
	and all(.items[]; .toolkit.name and .input_parameters.type == "object"
	and .output_parameters.type == "object" and (.tags | index("readOnlyHint")))'
composio GET 'tools?toolkit_slug=gmail%2Clinear&limit=4'
jq_says "the first page of tools" '(.items | length) == 4 and .next_cursor != null and .total_items == 10'
cursor=$(jq -r '.next_cursor | @uri' "$BODY")
composio GET "tools?toolkit_slug=gmail%2Clinear&cursor=$cursor"
jq_says "the second page of tools" '(.items | length) == 4 and .current_page == 2'
composio GET 'tools/GMAIL_FETCH_EMAILS?version=20200101_00'
same "a version that is none" "404 Tool_ToolNotFound" "$GOT $(jq -r .error.slug "$BODY")"
composio GET toolkits/testkit
jq_says "a toolkit without accounts" '.auth_config_details[0].mode == "NO_AUTH" and .enabled'
composio GET 'connected_accounts?user_ids=u1&toolkit_slugs=gmail%2Clinear&limit=2'
jq_says "accounts of a user, by pages" '(.items | length) == 2 and .total_items == 4 and .next_cursor != null'
composio GET 'connected_accounts?user_ids=u1&statuses=EXPIRED'
jq_says "accounts by status" '(.items | map(.id)) == ["ca_linear1"]
	and (.items[0].status_reason | contains("refresh")) and .items[0].auth_config.id == "ac_linear"'
composio GET connected_accounts/ca_none
same "an unknown account" 404 "$GOT"

# --- Composio: executing ---
execute u1 ca_gmail1 NO_SUCH_TOOL '{}'
same "an unknown tool" "404 Tool_ToolNotFound" "$GOT $(jq -r .error.slug "$BODY")"
execute u1 ca_gmail1 GMAIL_GET_PROFILE '{}' 20200101_00
same "a wrong version" "404 Tool_ToolNotFound" "$GOT $(jq -r .error.slug "$BODY")"
execute '' ca_gmail1 GMAIL_GET_PROFILE '{}'
same "an account without a user" "400 User ID is required with connected account" "$GOT $(jq -r .error.message "$BODY")"
execute nobody '' GMAIL_GET_PROFILE '{}'
same "a user without an account" "400 1810" "$GOT $(jq -r .error.code "$BODY")"
execute u2 ca_gmail1 GMAIL_GET_PROFILE '{}'
same "somebody else's account" "400 1812" "$GOT $(jq -r .error.code "$BODY")"
execute u1 ca_linear1 LINEAR_GET_CURRENT_USER '{}'
same "an account that expired" 422 "$GOT"
execute u1 ca_gmail_off GMAIL_GET_PROFILE '{}'
same "an account that is disabled" 422 "$GOT"
execute '' '' TEST_OLD '{}'
same "a tool that is gone" 410 "$GOT"
execute '' '' TEST_ERROR '{}'
jq_says "a tool that fails" '.successful == false and .error == "quota of default exceeded" and .data == {}'
execute u9 '' TEST_ECHO '{"text":"x"}'
jq_says "a tool of the script" '.successful and .error == null and .data == {said: "you said x", raw: "x", by: "u9"}'
execute u1 ca_gmail1 GMAIL_CREATE_EMAIL_DRAFT '{"recipient_email":"a@example.org","subject":"s"}'
jq_says "a missing argument" '.successful == false and (.error | contains("body"))'
execute u1 ca_gmail1 GMAIL_CREATE_EMAIL_DRAFT '{"recipient_email":"nobody","subject":"s","body":"b"}'
jq_says "an argument that the provider refuses" '.successful == false and (.error | contains("Invalid To"))'
execute u1 ca_gmail1 GMAIL_FETCH_EMAILS '{"query":7}'
jq_says "an argument of a wrong type" '.successful == false and (.error | contains("query"))'


# --- what the service refuses in a body ---
while read -r path body; do
	echo "$body" >"$REQUEST"
	composio POST "$path" --data-binary @"$REQUEST"
	same "$path refuses $body" 400 "$GOT"
done <<END
tools/execute/TEST_ECHO {"user_id":"u1","arguments":{"text":"x"},"text":"say x"}
tools/execute/TEST_ECHO {"user_id":"u1","argument":{"text":"x"}}
tools/execute/TEST_ECHO {"user_id":7,"arguments":{"text":"x"}}
tools/execute/TEST_ECHO {"user_id":"u1","arguments":"text"}
tools/execute/TEST_ECHO {"user_id":"u1","arguments":{"text":"x"},"idempotency_key":"1"}
connected_accounts/link {"auth_config_id":"ac_gmail","user_id":"u1","toolkit":"gmail"}
connected_accounts/link {"auth_config_id":"ac_gmail","user_id":["u1"]}
connected_accounts/link {"auth_config_id":"ac_gmail"}
auth_configs {"toolkit":{"slug":"gmail"},"name":"mine"}
END
same "and none of it was done" 0 "$(grep -c say "$T/ledger" 2>/dev/null || true)"

# --- the mailbox ---
execute u1 ca_gmail1 GMAIL_FETCH_EMAILS '{"query":"newer_than:3d in:inbox","max_results":7}'
jq_says "mail, the first page" '.data | (.messages | length) == 7 and .nextPageToken != null
	and .resultSizeEstimate == 12 and .messages[0].subject == "Two books are due next week"'
page=$(jq -c '{query: "newer_than:3d in:inbox", max_results: 7, page_token: .data.nextPageToken}' "$BODY")
cp "$BODY" "$T/page1"
execute u1 ca_gmail1 GMAIL_FETCH_EMAILS "$page"
jq -s '.[0].data.messages += .[1].data.messages | .[0]' "$T/page1" "$BODY" >"$T/all"
cp "$T/all" "$BODY"
jq_says "mail, both pages" '.data.messages | length == 12 and (map(.messageId) | unique | length) == 12
	and all(.[]; (.messageText | length) > 20)'
jq_says "charsets, encoded words, base64, markup" '.data.messages
	| any(.[]; .sender == "Sofía Lind <sofia@example.org>" and .subject == "Off-site in Malmö: head count"
		and (.messageText | contains("café")))
	and any(.[]; .subject == "Export schlägt fehl: error 500 since this morning")
	and any(.[]; (.messageText | contains("2026-1187 over 42.00 EUR")) and (.messageText | contains("crash") | not))
	and any(.[]; .attachmentList == [{filename: "worker.log"}])'
jq_says "replies share a thread" '[.data.messages[] | select(.subject | contains("Lunch")) | .threadId] | length == 2 and .[0] == .[1]'
execute u1 ca_gmail1 GMAIL_FETCH_EMAILS '{"query":"from:lena -subject:Re: is:unread","max_results":50,"ids_only":true}'
jq_says "a query" '(.data.messages | length) == 1 and (.data.messages[0] | keys) == ["messageId", "threadId"]'
id=$(jq -r '.data.messages[0].messageId' "$BODY")
execute u1 ca_gmail1 GMAIL_ADD_LABEL_TO_EMAIL "{\"message_id\":\"$id\",\"remove_label_ids\":[\"UNREAD\"],\"add_label_ids\":[\"food\"]}"
execute u1 ca_gmail1 GMAIL_FETCH_MESSAGE_BY_MESSAGE_ID "{\"message_id\":\"$id\"}"
jq_says "labels are kept" '.data.labelIds | index("food") != null and index("UNREAD") == null'
jq_says "one message has its headers" '.data.payload.headers | any(.[]; .name == "Message-ID")'
thread=$(jq -r .data.threadId "$BODY")
execute u1 ca_gmail1 GMAIL_CREATE_EMAIL_DRAFT "{\"recipient_email\":\"lena@example.com\",\"subject\":\"Re: Lunch\",\"body\":\"Yes.\nA.\",\"thread_id\":\"$thread\"}"
jq_says "a draft" '.successful and (.data.id | startswith("r-")) and .data.message.threadId != null'
execute u1 ca_gmail1 GMAIL_LIST_DRAFTS '{}'
jq_says "a draft can be read back" '.data.drafts | length == 1 and .[0].message.messageText == "Yes.\nA."'
execute u2 ca_gmail2 GMAIL_LIST_DRAFTS '{}'
jq_says "by its user alone" '.data.drafts == []'
execute u2 ca_gmail2 GMAIL_LIST_DRAFTS '{}'
execute u2 ca_gmail2 GMAIL_LIST_DRAFTS '{}'
same "an account expires after some calls" 422 "$GOT"
execute u3 ca_linear_all LINEAR_LIST_LINEAR_TEAMS '{}'
team=$(jq -r '.data.teams[0].id' "$BODY")
for title in one two three; do
	execute u3 ca_linear_all LINEAR_CREATE_LINEAR_ISSUE "{\"team_id\":\"$team\",\"title\":\"$title\"}"
done
jq_says "an issue" '.data.issue_title == "three" and (.data.ticket_url | contains("ENG-3"))'
execute u3 ca_linear_all LINEAR_LIST_LINEAR_ISSUES '{"first":2}'
jq_says "issues can be read back" '(.data.issues | map(.title)) == ["three", "two"] and .data.page_info.hasNextPage'
after=$(jq -c '{first: 2, after: .data.page_info.endCursor}' "$BODY")
execute u3 ca_linear_all LINEAR_LIST_LINEAR_ISSUES "$after"
jq_says "on every page" '(.data.issues | map(.title)) == ["one"] and (.data.page_info.hasNextPage | not)'
execute u3 ca_linear_all LINEAR_CREATE_LINEAR_ISSUE '{"team_id":"none","title":"x"}'
jq_says "an issue for no team" '.successful == false'
execute u3 ca_linear_all LINEAR_CREATE_LINEAR_ISSUE "{\"team_id\":\"$team\",\"title\":\"one\"}"

# --- links ---
composio POST connected_accounts/link -d '{"auth_config_id":"ac_linear","user_id":"u5"}'
same "a link is made" 201 "$GOT"
linked=$(jq -r .connected_account_id "$BODY") link=$(jq -r .redirect_url "$BODY")
composio GET "connected_accounts/$linked"
jq_says "the account is not there yet" '.status == "INITIALIZING"'
check "the link opens" curl -sS -f "$link"
composio GET "connected_accounts/$linked"
jq_says "and connects the account" '.status == "ACTIVE"'

# --- the ledger, and a restart ---
cp "$T/ledger" "$BODY"
check "the ledger is JSON lines, numbered" jq -se '[.[].n] == [range(1; length + 1)]' "$T/ledger"
check "what failed is not in it" jq -se 'all(.[]; .tool != "TEST_ERROR") and (map(select(.tool == "GMAIL_CREATE_EMAIL_DRAFT")) | length) == 1' "$T/ledger"
check "a repeat is counted" jq -se 'map(select(.arguments.title == "one")) | map(.times) == [1, 2]' "$T/ledger"
agent-standin --summary "$T/ledger" >"$T/summary"
check "the summary tells repeats" jq -se 'any(.[]; .tool == "LINEAR_CREATE_LINEAR_ISSUE" and .calls == 4 and .distinct == 3 and .repeated == 1)' "$T/summary"
kill -TERM "$STANDIN"
wait "$STANDIN"
same "SIGTERM ends it cleanly" 0 $?
check "no key is in its log" sh -c "! grep -q 'good-c' '$T/standin.log'"
standin "$DATA/standin/basic.yaml" --mailbox "$DATA/mailbox.mbox" --state "$T/state" || exit 1
execute u1 ca_gmail1 GMAIL_LIST_DRAFTS '{}'
jq_says "drafts survive a restart" '.data.drafts | length == 1'
claude POST /v1/messages --data-binary @"$T/turn2"
same "thinking blocks do, too" 200 "$GOT"
execute u3 ca_linear_all LINEAR_CREATE_LINEAR_ISSUE "{\"team_id\":\"$team\",\"title\":\"one\"}"
same "the ledger goes on" 3 "$(tail -n 1 "$T/ledger" | jq .times)"
kill -TERM "$STANDIN"
wait "$STANDIN"

printf '{"n":99,"tool":"CUT' >>"$T/ledger"
standin "$DATA/standin/basic.yaml" || exit 1
execute u9 '' TEST_ECHO '{"text":"x"}'
check "a cut line of the ledger is dropped" jq -se 'map(.n) == [range(1; length + 1)]' "$T/ledger"
kill -TERM "$STANDIN"
wait "$STANDIN"

# --- faults ---
standin "$DATA/standin/faults.yaml" --ledger "$T/ledger2" || exit 1
jq -c '.stream = true' "$T/plain" >"$REQUEST"
turn() { claude POST /v1/messages --data-binary @"$REQUEST" "$@"; CURL=$?; }
turn
same "529" "529 overloaded_error" "$GOT $(jq -r .error.type "$BODY")"
says "with retry-after" '^retry-after: 2' "$HEAD"
turn
same "429 with a code" "429 enforced_spend_limit_reached" "$GOT $(jq -r .error.details.error_code "$BODY")"
turn
same "a cut stream" "200 18 4" "$GOT $CURL $(grep -c ^event: "$BODY")"
turn
same "an error in the stream" "200 4 overloaded_error" \
	"$GOT $(grep -c ^event: "$BODY") $(sed -n 's/^data: //p' "$BODY" | tail -n 1 | jq -r .error.type)"
turn
says "garbage" '<html>' "$BODY"
turn -m 0.4
same "a hang" 28 "$CURL"
turn
same "a drip comes whole" message_stop "$(sed -n 's/^event: //p' "$BODY" | tail -n 1)"
turn
same "a reset before" 56 "$CURL"
turn
same "a reset after" 56 "$CURL"
turn
same "a page of a proxy" "502 <html>502</html>" "$GOT $(cat "$BODY")"
turn
same "and no fault any more" 200 "$GOT"
execute u '' F_BEFORE '{}'
execute u '' F_AFTER '{}'
execute u '' F_AFTER '{}'
same "a fault can end" 200 "$GOT"
execute u '' F_STATUS '{}'
same "an error of the script's" "503 Some_Slug 42" "$GOT $(jq -r '"\(.error.slug) \(.error.code)"' "$BODY")"
execute u '' F_STATUS_AFTER '{}'
same "an error after the call" 504 "$GOT"
start_ms=$(date +%s%3N)
execute u '' F_SLOW '{}'
[ $(($(date +%s%3N) - start_ms)) -ge 300 ]
ok $? "a slow call"
got=
for _ in 1 2 3 4 5 6; do execute u '' F_EVERY '{}'; got="$got $GOT"; done
same "every third call" " 200 200 500 200 200 500" "$got"
got=
for _ in 1 2 3 4 5 6 7 8 9 10; do execute u '' F_CHANCE '{}'; got="$got $GOT"; done
echo "$got" >"$T/got"
says "by chance" '200.*500|500.*200' "$T/got"
composio GET connected_accounts
composio GET connected_accounts
same "a fault of a path" '429 {"message":"Rate limit exceeded."}' "$GOT $(cat "$BODY")"
kill -TERM "$STANDIN"
wait "$STANDIN"
same "the ledger has what was executed" "F_AFTER 2 F_STATUS_AFTER 1 F_SLOW 1 F_EVERY 4" \
	"$(agent-standin --summary "$T/ledger2" | jq -r 'select(.tool != "F_CHANCE") | "\(.tool) \(.calls)"' | tr '\n' ' ' | sed 's/ $//')"

done_testing
