#!/bin/sh
# SPDX-License-Identifier: ISC
# The limits of the reads over HTTP: requests, waiting requests, an end in
# between, and invalid FastCGI.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need lighttpd
AGENT_STORE=$T/store AGENT_TOKENS_FILE=$T/tokens AGENT_GATEWAY_FOLDER=$T/gateway
export AGENT_STORE AGENT_TOKENS_FILE AGENT_GATEWAY_FOLDER
mkdir "$T/gateway"
token_of() { sed -n 's/.*"token":"\([^"]*\)".*/\1/p'; }
id_of() { sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$1"; }
ann=$(agent-token new ann | token_of) bob=$(agent-token new bob | token_of)
for user in ann bob; do
	echo "{\"user\":\"$user\",\"goal\":\"a task\"}" | agent-submit --no-preflight >"$T/$user"
done
anns=$(id_of "$T/ann") bobs=$(id_of "$T/bob")

# cgi PATH QUERY [NAME=VALUE...]: the answer of a process that is asked directly
cgi() {
	path=$1 query=$2
	shift 2
	env SCRIPT_NAME="$path" QUERY_STRING="$query" REQUEST_METHOD=GET \
		HTTP_AUTHORIZATION="Bearer $ann" "$@" agent-status --cgi | tr -d '\r'
}

# agent-token
check "list" agent-token list
says "tells whose" '"user":"ann","state":"valid"' "$OUT"
check "has no secret" sh -c "! grep -q ${ann##*_} $OUT $AGENT_TOKENS_FILE"
same "mode" 600 "$(stat -c %a "$AGENT_TOKENS_FILE")"
same "check says who" ann "$(HTTP_AUTHORIZATION="Bearer $ann" agent-token check)"
status 1 "check of nobody" env HTTP_AUTHORIZATION= agent-token check
says "says unauthorized" '"type":"unauthorized"' "$OUT"
status 100 "check without settings" env -u AGENT_TOKENS_FILE agent-token check
status 100 "new nobody" agent-token new ''
status 100 "new with a comma" agent-token new a,b
status 100 "expires in the past" agent-token --expires 2020-01-01T00:00:00Z new carl
status 100 "expires some day" agent-token --expires soon new carl
check "expires in an hour" agent-token --expires 1h new carl
carl=$(token_of <"$OUT") id=$(id_of "$OUT")
same "is valid" carl "$(HTTP_AUTHORIZATION="Bearer $carl" agent-token check)"
check "revoke" agent-token revoke "$id"
status 1 "is not valid any more" env HTTP_AUTHORIZATION="Bearer $carl" agent-token check
status 1 "revoke what is not there" agent-token revoke 0123456789abcdef
status 100 "no command" agent-token
for i in 1 2 3 4 5 6 7 8; do agent-token new "many $i" >>"$T/many" & test_pids="$test_pids $!"; done
for pid in $test_pids; do wait "$pid"; done
same "many at once are all there" 8 "$(agent-token list | grep -c '"user":"many')"
chmod g+w "$AGENT_TOKENS_FILE"
status 100 "what others can write is refused" env HTTP_AUTHORIZATION="Bearer $ann" agent-token check
same "is an error inside for callers" "Status: 500 Internal Server Error" "$(cgi /v1/tasks '' 2>/dev/null | sed -n 1p)"
chmod g-w "$AGENT_TOKENS_FILE"

# a rate, over all processes together; no time passes that would allow more
AGENT_GATEWAY_RATE=1 AGENT_GATEWAY_BURST=3
export AGENT_GATEWAY_RATE AGENT_GATEWAY_BURST
same "one" "Status: 200 OK" "$(cgi /v1/tasks '' | sed -n 1p)"
check "two" env HTTP_AUTHORIZATION="Bearer $ann" agent-token check
same "three" "Status: 404 Not Found" "$(cgi /v1/tasks/x '' | sed -n 1p)"
cgi /v1/tasks '' >"$OUT"
says "four is too many" '^Status: 429 ' "$OUT"
says "says when" '^Retry-After: [1-9]' "$OUT"
says "by its type" '"type":"rate_limited".*"retryable":true' "$OUT"
status 111 "agent-token check says it too" env HTTP_AUTHORIZATION="Bearer $ann" agent-token check
says "with the seconds" '"retry_after":[1-9]' "$OUT"
same "others are not held up" bob "$(HTTP_AUTHORIZATION="Bearer $bob" agent-token check)"
unset AGENT_GATEWAY_RATE AGENT_GATEWAY_BURST

# a proxy that names the user
AGENT_GATEWAY_USER_HEADER=X-Forwarded-User AGENT_GATEWAY_PROXIES=127.0.0.1
export AGENT_GATEWAY_USER_HEADER AGENT_GATEWAY_PROXIES
says_user() { env -u HTTP_AUTHORIZATION "$@" agent-token check; }
same "the proxy's word" eve "$(says_user REMOTE_ADDR=127.0.0.1 HTTP_X_FORWARDED_USER=eve)"
status 1 "from elsewhere it is nothing" says_user REMOTE_ADDR=127.0.0.2 HTTP_X_FORWARDED_USER=eve
unset AGENT_GATEWAY_USER_HEADER AGENT_GATEWAY_PROXIES

# waiting, one process each
AGENT_GATEWAY_WAITING=1
export AGENT_GATEWAY_WAITING
start env SCRIPT_NAME="/v1/tasks/$anns/events" HTTP_ACCEPT=text/event-stream REQUEST_METHOD=GET \
	HTTP_AUTHORIZATION="Bearer $ann" agent-status --cgi >"$T/stream"
held=$STARTED
await 10 grep -q submitted "$T/stream"
ok $? "a stream has the only place"
cgi "/v1/tasks/$anns/events" 'after=1&wait=20' >"$OUT"
says "another wait is refused" '^Status: 503' "$OUT"
says "says when to come again" '^Retry-After: ' "$OUT"
says "by its type" '"type":"too_many_waiting"' "$OUT"
cgi "/v1/tasks/$anns/events" '' HTTP_ACCEPT=text/event-stream >"$OUT"
says "another stream too" '^Status: 503' "$OUT"
says "as JSON" '^Content-Type: application/json' "$OUT"
cgi "/v1/tasks/$anns" '' >"$OUT"
says "what need not wait is answered" '^Status: 200' "$OUT"
kill "$held"
await 10 sh -c "! kill -0 $held 2>/dev/null"
cgi "/v1/tasks/$anns/events" 'after=1&wait=1' >"$OUT"
says "a place that is free again" '^Status: 200' "$OUT"

# the resident process: 8 may wait, 2 of them for one caller
AGENT_GATEWAY_WAITING=8
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$T/conf" <<-END
	server.port = $port
	server.bind = "127.0.0.1"
	server.document-root = "$T/gateway"
	server.errorlog = "$T/log"
	server.breakagelog = "$T/breakage"
	server.stream-response-body = 2
	server.modules = ("mod_fastcgi")
	fastcgi.server = ("/v1/tasks" => ((
		"bin-path" => "$BIN/agent-status --fastcgi",
		"socket" => "$T/socket", "check-local" => "disable", "max-procs" => 1 )))
END
start lighttpd -D -f "$T/conf"
server=$STARTED
ask() { # ask TOKEN PATH [OPTION...]
	who=$1 path=$2
	shift 2
	curl -sS -m 40 -H "Authorization: Bearer $who" "$@" "http://127.0.0.1:$port$path"
}
code() { ask "$@" -o /dev/null -w '%{http_code}'; }
await 10 ask "$ann" /v1/tasks -f
ok $? "the server is up"
resident=$(cat "/proc/$server/task/$server/children")
resident=${resident% }
follow() { ask "$1" "/v1/tasks/$2/events" -N -H 'Accept: text/event-stream' >"$T/follow.$3"; }
for i in 1 2; do start follow "$ann" "$anns" $i; done
await 10 grep -q submitted "$T/follow.1" && await 10 grep -q submitted "$T/follow.2"
ok $? "two streams of one caller"
same "a third is refused" 503 "$(code "$ann" "/v1/tasks/$anns/events" -H 'Accept: text/event-stream')"
same "or a long poll" 503 "$(code "$ann" "/v1/tasks/$anns/events?after=1&wait=20")"
same "of that caller" 200 "$(code "$bob" "/v1/tasks/$bobs/events?after=1&wait=1")"
same "and what need not wait is answered" 200 "$(code "$ann" "/v1/tasks/$anns")"
files() { find "/proc/$resident/fd" -type l | wc -l; }
held=$(files)
one=$(cat "/proc/$STARTED/task/$STARTED/children")
kill "${one% }"
more() { [ "$(files)" -gt "$held" ]; }
fewer() { [ "$(files)" -lt "$held" ]; }
# the web server notices it when it has to send an empty comment
await 30 fewer
ok $? "a client that disconnects no longer counts"
same "which is free again" 200 "$(code "$ann" "/v1/tasks/$anns/events?after=1&wait=1")"

# wakes only requests whose task has changed
start ask "$bob" "/v1/tasks/$bobs/events?after=1&wait=20" -o "$T/bobs"
start ask "$ann" "/v1/tasks/$anns/events?after=1&wait=20" -o "$T/anns"
woken=$STARTED
await 10 more
agent-signal pause "$anns" >"$OUT"
wait $woken
says "a change wakes who waits for it" '"signal":"pause"' "$T/anns"
check "and nobody else" test ! -s "$T/bobs"

# invalid FastCGI
python3 - "$T/socket-0" >"$OUT" 2>"$ERR" <<'END'
import os, socket, sys
def talk(text):
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(10)
    one.connect(sys.argv[1])
    one.sendall(text)
    one.shutdown(socket.SHUT_WR)
    while one.recv(4096):
        pass
begin = bytes([1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
for text in (b"", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 64, os.urandom(4096),
             begin, begin + bytes([1, 4, 0, 1, 0, 4, 0, 0, 200, 200, 1, 1]),
             begin + bytes([1, 4, 0, 1, 255, 255, 0, 0]) + b"x" * 100):
    try:
        talk(text)
    except ConnectionError:
        pass
END
ok $? "nonsense is answered with a closed door"
same "and harms nobody" 200 "$(code "$bob" "/v1/tasks/$bobs")"
same "by the same process" "$resident" "$(sed 's/ $//' "/proc/$server/task/$server/children")"

# its end: waiting requests are answered first
start ask "$bob" "/v1/tasks/$bobs/events?after=1&wait=20" -o "$T/last" -w '%{http_code}' >"$T/last.code"
last=$STARTED
await 10 more
kill "$resident"
wait $last
same "SIGTERM: who waits is answered" "200" "$(cat "$T/last.code")"
says "with what there is" '"events":\[\],"next":1,"ended":false' "$T/last"
check "it has nothing to complain of" test ! -s "$T/breakage"
status 100 "--fastcgi without a socket" sh -c 'agent-status --fastcgi </dev/null'
says "says what it needs" 'listening socket' "$ERR"
done_testing
