#!/bin/sh
# SPDX-License-Identifier: ISC
# The HTTP API from outside, under the real web server: every route, its errors,
# and two users who cannot see each other. ENGINE=temporal runs it on that engine.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/gateway.sh
. "$TOP/tests/gateway.sh"
need jq

# shellcheck disable=SC2119 # the options of the server may be left out
engine
: >"$T/ledger"
standin "$TOP/scripts/examples/standin-triage.yaml" --mailbox "$TOP/tests/data/mailbox-small.mbox" ||
	{ echo "Bail out! no stand-in"; exit 1; }
gateway AGENT_GATEWAY_ORIGINS='https://page.example https://other.example'
ana=$(token ana) ben=$(token ben)
id_of() { sed -n 's/^{"id":"\([^"]*\)".*/\1/p' "$OUT"; }
error() { says "$1" "^\\{\"error\":\\{\"type\":\"$2\",\"message\":\"[^\"]+.*\"retryable\":$3" "$OUT"; }
nobody=0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f

# ---- before the first task ----
WHO=$ana
call 200 "a new gateway is ready" GET /readyz
on lmdb && call 503 "there is nothing to read yet" GET /v1/queue
post 202 "a task" /v1/tasks '{"goal":"first"}'
WHO=

# ---- callers ----
for path in /v1/tasks /v1/tasks/$nobody /v1/queue /v1/connections /v1/nothing; do
	call 401 "no token, no answer: $path" GET "$path"
done
error "it says so" unauthorized false
same "and what is needed" 'Bearer realm="agent-utils"' "$(header WWW-Authenticate)"
post 401 "nor for a task" /v1/tasks '{"goal":"g"}'
WHO=agt_0000000000000000_00
call 401 "a token that is none" GET /v1/queue
WHO=$(token gone)
agent-token revoke "$(printf %s "$WHO" | cut -d _ -f 2)" >"$OUT" 2>"$ERR"
call 401 "one that was revoked" GET /v1/queue
WHO=
call 200 "but anybody may ask whether it is there" GET /healthz
call 200 "whether it is ready" GET /readyz
call 200 "and what it can do" GET /openapi.json
cp "$OUT" "$T/openapi"
check "which is JSON" python3 -m json.tool "$T/openapi"

# ---- a task ----
WHO=$ana
post 202 "a task" /v1/tasks '{"goal":"Say hello."}' -H 'X-Request-Id: req.7-a'
id=$(id_of)
same "its answer" "{\"id\":\"$id\",\"state\":\"queued\",\"existing\":false}" "$(cat "$OUT")"
same "its address" "/v1/tasks/$id" "$(header Location)"
same "the request's id comes back" req.7-a "$(header X-Request-Id)"
call 200 "its journal" GET "/v1/tasks/$id/events"
says "has it too" '"type":"pinned".*"request_id":"req.7-a"' "$OUT"
call 200 "the task" GET "/v1/tasks/$id"
says "belongs to who called" '"user":"ana"' "$OUT"
call 200 "the list" GET /v1/tasks
says "shows it" "\"id\":\"$id\"" "$OUT"
call 404 "it has no result yet" GET "/v1/tasks/$id/result"
error "and says so" no_result false
call 200 "HEAD" HEAD "/v1/tasks/$id"
post 202 "the user may be said" /v1/tasks '{"user":"ana","goal":"g"}'
post 400 "but nobody else" /v1/tasks '{"user":"ben","goal":"g"}'
error "which is told" invalid_task false
post 400 "no pins of one's own" /v1/tasks \
	'{"goal":"g","preflight":{"accounts":{},"pins":{"request":{},"tools":[]}}}'
post 400 "a member that there is not" /v1/tasks '{"goal":"g","gaol":1}'
post 400 "no JSON" /v1/tasks 'goal: g'
error "no YAML either" invalid_json false
post 400 "an error object is no task" /v1/tasks '{"error":{"type":"x","message":"m","exit":0}}'
post 400 "nothing" /v1/tasks ''

# ---- a key ----
post 202 "a task with a key" /v1/tasks '{"goal":"k"}' -H 'Idempotency-Key: k 1'
first=$(id_of)
post 200 "the same again" /v1/tasks '{"goal":"k"}' -H 'Idempotency-Key: k 1'
same "is the same task" "{\"id\":\"$first\",\"existing\":true}" "$(cat "$OUT")"
same "at the same address" "/v1/tasks/$first" "$(header Location)"
post 409 "another task with it" /v1/tasks '{"goal":"other"}' -H 'Idempotency-Key: k 1'
error "is refused" key_conflict false
post 200 "the member key is the same thing" /v1/tasks '{"goal":"k","key":"k 1"}'
post 400 "a key that is too long" /v1/tasks '{"goal":"k"}' \
	-H "Idempotency-Key: $(printf %201s x | tr ' ' y)"

# ---- pre-flight ----
post 200 "a check alone" /v1/preflight '{"goal":"g","toolkits":["linear"],"tools":["LINEAR_LIST_LINEAR_TEAMS"]}'
same "says what it found" '{"ok":true,"accounts":{"linear":"ca_linear_ana"},"tools":["LINEAR_LIST_LINEAR_TEAMS"]}' \
	"$(cat "$OUT")"
call 200 "and queued nothing" GET '/v1/tasks?limit=1'
says "nothing newer" "\"id\":\"$first\"" "$OUT"
WHO=$ben
call 200 "connections without links" GET '/v1/connections?toolkits=linear%2Cgmail&links=no'
says "have none" '"state":"expired","account":"[^"]*","reason":"[^"]*"\}' "$OUT"
call 200 "connections" GET '/v1/connections?toolkits=linear,gmail'
says "have the link" '"toolkit":"linear","state":"expired".*"link":\{"url":"http' "$OUT"
post 422 "a task that cannot run" /v1/tasks '{"goal":"g","toolkits":["linear"]}'
error "is refused" preflight_refused false
says "with a link" '"reasons":\[\{"type":"connection_not_active".*"link":\{"url":"http' "$OUT"
post 422 "as its check is" /v1/preflight '{"goal":"g","toolkits":["linear"]}'
says "with a link, too" '"link":\{"url":"http' "$OUT"
post 422 "a check without links" '/v1/preflight?links=no' '{"goal":"g","toolkits":["linear"]}'
same "has none" '' "$(grep -o '"link"' "$OUT")"
post 400 "a check with other links" '/v1/preflight?links=maybe' '{"goal":"g","toolkits":["linear"]}'
call 200 "all connections" GET /v1/connections
for query in 'toolkits=' 'toolkits=a,,b' 'toolkits=A' 'toolkits=a%20b' 'links=maybe' 'links=no&links=no' x=1; do
	call 400 "connections: ?$query" GET "/v1/connections?$query"
done
error "says what is wrong" bad_request false

# ---- another's task ----
for path in "/v1/tasks/$id" "/v1/tasks/$id/events" "/v1/tasks/$id/result" "/v1/tasks/$nobody"; do
	call 404 "another's is not there: $path" GET "$path"
	error "and nothing tells it from none" no_task false
done
post 404 "nor can it be signalled" "/v1/tasks/$id/signals" '{"signal":"cancel"}'
call 200 "nor listed" GET /v1/tasks
same "at all" '{"tools":[],"next":null}' "$(sed s/tasks/tools/ "$OUT")"
post 202 "the same key of another" /v1/tasks '{"goal":"other"}' -H 'Idempotency-Key: k 1'

# ---- signals ----
WHO=$ana
post 200 "a signal" "/v1/tasks/$id/signals" '{"signal":"pause","message":"wait"}' -H 'X-Request-Id: sig-1'
says "says the state after it" '"state":"waiting"' "$OUT"
call 200 "the journal" GET "/v1/tasks/$id/events"
says "knows who and with what" '"type":"signal","signal":"pause","by":"ana","request_id":"sig-1","message":"wait"' "$OUT"
post 409 "one that does not fit" "/v1/tasks/$id/signals" '{"signal":"approve"}'
error "is told" wrong_state false
post 200 "cancel" "/v1/tasks/$id/signals" '{"signal":"cancel"}'
post 409 "an end is an end" "/v1/tasks/$id/signals" '{"signal":"resume"}'
error "and told" task_ended false
post 400 "continue needs a message" "/v1/tasks/$id/signals" '{"signal":"continue"}'
post 200 "retry opens it again" "/v1/tasks/$id/signals" '{"signal":"retry","turns":5}'
says "and it is queued" '"signal":"retry","state":"queued"' "$OUT"
post 409 "only once" "/v1/tasks/$id/signals" '{"signal":"retry"}'
post 200 "a higher budget" "/v1/tasks/$id/signals" '{"signal":"budget","turns":1}'
post 400 "a budget of nothing" "/v1/tasks/$id/signals" '{"signal":"budget"}'
post 200 "cancel again" "/v1/tasks/$id/signals" '{"signal":"cancel"}'
post 200 "continue opens it, too" "/v1/tasks/$id/signals" '{"signal":"continue","message":"The rest."}'
post 200 "and it can be cancelled" "/v1/tasks/$id/signals" '{"signal":"cancel"}'
post 400 "no signal" "/v1/tasks/$id/signals" '{"signal":"kill"}'
post 400 "a member that there is not" "/v1/tasks/$id/signals" '{"signal":"cancel","by":"root"}'
post 404 "an id that is none" /v1/tasks/0-0/signals '{"signal":"cancel"}'

# ---- the queue ----
call 200 "the queue" GET /v1/queue
says "in numbers" '^\{"queue":null,"value":[0-9]+,' "$OUT"
call 200 "one queue" GET '/v1/queue?queue=%64efault'
says "by its name" '^\{"queue":"default"' "$OUT"
for query in queue= queue=A queue queue=a%00b 'queue=a&queue=b' x=1; do
	call 400 "the queue: ?$query" GET "/v1/queue?$query"
done

# ---- methods, types, routes ----
# What openapi.json says of methods is what each route does.
jq -r '.paths | to_entries[] | [.key, ([.value | keys[] | ascii_upcase
	| if . == "GET" then "GET, HEAD" else . end] | join(", "))] | @tsv' "$T/openapi" >"$T/routes"
check "every route is tried" test "$(wc -l <"$T/routes")" -ge 11
while IFS="$(printf '\t')" read -r path allow; do
	path=$(echo "$path" | sed "s/{id}/$id/")
	call 405 "$path takes $allow" DELETE "$path"
	same "and says so" "$allow" "$(header Allow)"
	[ "$allow" != POST ] || call 405 "it is not read" GET "$path"
done <"$T/routes"
for route in 'DELETE /v1/tasks' 'PUT /v1/queue' 'POST /healthz' 'GET /v1/preflight' \
	"GET /v1/tasks/$id/signals" "DELETE /v1/tasks/$id" "POST /v1/tasks/$id/events"; do
	call 405 "$route" "${route%% *}" "${route#* }" -d '{}'
	error "as JSON" method_not_allowed false
	check "and what is allowed" test -n "$(header Allow)"
done
call 404 "no such route" GET /v1/nothing
error "as JSON" not_found false
call 415 "a form" POST /v1/tasks -d goal=g
error "as JSON" unsupported_media_type false
call 415 "a compressed body" POST /v1/tasks -H 'Content-Type: application/json' -H 'Content-Encoding: gzip' -d '{}'
call 202 "a character set changes nothing" POST /v1/tasks -d '{"goal":"g"}' \
	-H 'content-type: Application/JSON; charset=utf-8'

# ---- headers of every answer ----
call 200 "an answer" GET /v1/queue
for name in X-Content-Type-Options X-Frame-Options Referrer-Policy Content-Security-Policy X-Request-Id; do
	check "has $name" test -n "$(header $name)"
done
same "is kept nowhere" no-store "$(header Cache-Control)"
check "no script may stand in a page" sh -c "! echo '$(header Content-Security-Policy)' | grep -q unsafe"
same "another origin is nobody" "" "$(header Access-Control-Allow-Origin)"
call 200 "but one that is named" GET /v1/queue -H 'Origin: https://page.example'
same "may read" https://page.example "$(header Access-Control-Allow-Origin)"
call 200 "and one that is not" GET /v1/queue -H 'Origin: https://evil.example'
same "may not" "" "$(header Access-Control-Allow-Origin)"
call 204 "its browser may ask first" OPTIONS /v1/tasks -H 'Origin: https://other.example'
says "for what" '^Access-Control-Allow-Methods: GET, HEAD, POST' "$HEAD"
call 405 "and another's not" OPTIONS /v1/tasks -H 'Origin: https://evil.example'

# ---- the page ----
WHO=
call 200 "the page" GET /
same "at the same origin" '<html>the page</html>' "$(cat "$OUT")"
call 404 "no such page" GET /nothing
same "is a page too" '<html>no such page</html>' "$(cat "$OUT")"

# ---- not now ----
# shellcheck disable=SC2153 # set by gateway
if on lmdb; then
	WHO=$ana
	mv "$T/store" "$T/store.away"
	call 503 "no engine" GET /v1/queue
	error "is worth a second try" no_store true
	check "later" test "$(header Retry-After)" -ge 1
	call 200 "no store is yet to be made" GET /readyz
	echo damaged >"$T/store"
	call 503 "one that is broken is not ready" GET /readyz
	call 200 "and yet alive" GET /healthz
	rm "$T/store"
	mv "$T/store.away" "$T/store"
fi
kill -TERM "$STANDIN"
wait "$STANDIN"
WHO=$ana
post 503 "Composio is away" /v1/tasks '{"goal":"g","toolkits":["gmail"]}' --max-time 60
error "is worth a second try" '[a-z]*' true
post 202 "a task that does not need it is taken" /v1/tasks '{"goal":"g"}'
kill -TERM "$SERVER"
wait "$SERVER" 2>/dev/null

# ---- limits ----
echo 'limits: { open_per_user: 1 }' >"$T/limits.yaml"
gateway AGENT_CONFIG="$T/limits.yaml" AGENT_GATEWAY_RATE=60 AGENT_GATEWAY_BURST=10
WHO=$(token cal)
post 202 "one open task" /v1/tasks '{"goal":"g"}'
open() { curl -s -H "Authorization: Bearer $WHO" "$API/v1/tasks" | grep -q '"next"' &&
	agent-status --user cal | grep -q queued; }
on lmdb || await 10 open
post 429 "and no more" /v1/tasks '{"goal":"g"}'
error "are allowed" too_many_tasks true
check "for now" test "$(header Retry-After)" -ge 1
WHO=$(token dan)
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	curl -s -o "$OUT" -D "$HEAD" -H "Authorization: Bearer $WHO" "$API/v1/queue"
	head -n 1 "$HEAD" | cut -d ' ' -f 2
done >"$T/codes"
error "a flood is cut off" rate_limited true
check "for a while" test "$(header Retry-After)" -ge 1
same "the first of it got through" 200 "$(head -n 1 "$T/codes")"
WHO=$ben
call 200 "and others do not suffer" GET /v1/queue
kill -TERM "$SERVER"
wait "$SERVER" 2>/dev/null

# ---- an authenticating proxy, and TLS ----
unset AGENT_CONFIG AGENT_GATEWAY_RATE
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/tls.key" -out "$T/tls.pem" -days 2 \
	-subj /CN=localhost 2>"$ERR"
tls_here() { # as agent-gateway(1) says, beside the one without
	cat >"$T/tls.conf" <<-END
		include "$TOP/cmd/gateway/lighttpd.conf"
		server.modules += ( "mod_openssl" )
		\$SERVER["socket"] == "127.0.0.1:$((PORT + 1))" {
			ssl.engine = "enable"
			ssl.pemfile = "$T/tls.pem"
			ssl.privkey = "$T/tls.key"
			setenv.add-response-header = (
				"Strict-Transport-Security" => "max-age=31536000" )
		}
	END
	AGENT_GATEWAY_PORT=$PORT serve "$T/tls.conf"
}
AGENT_GATEWAY_USER_HEADER=X-Forwarded-User AGENT_GATEWAY_PROXIES=127.0.0.1
export AGENT_GATEWAY_USER_HEADER AGENT_GATEWAY_PROXIES
somewhere tls_here
API=https://127.0.0.1:$((PORT + 1)) WHO=
call 202 "a task by way of a proxy, over TLS" POST /v1/tasks -k \
	-H 'X-Forwarded-User: eve' -H 'Content-Type: application/json' -d '{"goal":"g"}'
id=$(id_of)
check "is the task of who the proxy says" sh -c "agent-status '$id' | grep -q '\"user\":\"eve\"'"
check "the answer says to stay with TLS" grep -qi '^strict-transport-security: max-age' "$HEAD"
call 401 "nobody's request is nobody's" GET /v1/queue -k
kill -TERM "$SERVER"
wait "$SERVER" 2>/dev/null
AGENT_GATEWAY_PROXIES=192.0.2.7
somewhere tls_here
API=http://127.0.0.1:$PORT
call 401 "from another address the header is nothing" GET /v1/queue -H 'X-Forwarded-User: eve'
done_testing
