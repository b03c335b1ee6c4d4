#!/bin/sh
# SPDX-License-Identifier: ISC
# The tasks over HTTP: agent-status --cgi and --fastcgi under a real web server,
# side by side, because the answers must be the same.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need lighttpd
# shellcheck disable=SC2119 # the options of the server may be left out
engine
AGENT_TOKENS_FILE=$T/tokens AGENT_GATEWAY_FOLDER=$T/gateway
export AGENT_TOKENS_FILE AGENT_GATEWAY_FOLDER
mkdir "$T/gateway"
nobody=0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f
token_of() { sed -n 's/.*"token":"\([^"]*\)".*/\1/p'; }
id_of() { sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$1"; }
ann=$(agent-token new ann | token_of)

# serve cgi|fastcgi PORT: a server of one of the two
serve() {
	cat >"$T/$1.conf" <<-END
		server.port = $2
		server.bind = "127.0.0.1"
		server.document-root = "$T/gateway"
		server.errorlog = "$T/$1.log"
		server.breakagelog = "$T/$1.err"
		server.stream-response-body = 2
		server.modules = ("mod_$1", "mod_alias")
	END
	if [ "$1" = cgi ]; then
		# a web server keeps its environment to itself
		cat >"$T/script" <<-END
			#!/bin/sh
			export AGENT_STORE="$T/store" ${AGENT_ENGINE:+AGENT_ENGINE="$AGENT_ENGINE"}
			export AGENT_TOKENS_FILE="$T/tokens" AGENT_GATEWAY_FOLDER="$T/gateway"
			exec "$BIN/agent-status" --cgi
		END
		chmod +x "$T/script"
		cat >>"$T/cgi.conf" <<-END
			alias.url = ("/v1/tasks" => "$T/script")
			cgi.assign = ("" => "")
		END
	else
		cat >>"$T/fastcgi.conf" <<-END
			fastcgi.server = ("/v1/tasks" => ((
				"bin-path" => "$BIN/agent-status --fastcgi",
				"socket" => "$T/socket", "check-local" => "disable",
				"max-procs" => 1 )))
		END
	fi
	start lighttpd -D -f "$T/$1.conf"
}
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# get KIND PATH [OPTION...]: status line, headers that matter, and body, as ann
get() {
	kind=$1 path=$2
	shift 2
	case $kind in cgi) port=$CGI ;; *) port=$FASTCGI ;; esac
	: >"$T/body.$kind"
	curl -sS -m 40 -D "$T/head.$kind" -o "$T/body.$kind" -H "Authorization: ${AS-Bearer $ann}" \
		"$@" "http://127.0.0.1:$port$path"
	tr -d '\r' <"$T/head.$kind" | sed '1!s/^[^:]*/\L&/' >"$T/low.$kind"
	grep -E '^(HTTP|content-|etag|allow|retry|cache|x-cont|www|referrer)' "$T/low.$kind" | sort >"$T/short.$kind"
}
code() { sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$T/head.$1"; }
# both WANTED NAME PATH [OPTION...]: that status from both, and the same answer
both() {
	wanted=$1 name=$2
	shift 2
	get cgi "$@"
	get fastcgi "$@"
	same "$name" "$wanted $wanted" "$(code cgi) $(code fastcgi)"
	check "the same from both: $name" sh -c "cmp $T/body.cgi $T/body.fastcgi && cmp $T/short.cgi $T/short.fastcgi"
}
body() { says "$1" "$2" "$T/body.cgi"; }
listed() { get fastcgi "/v1/tasks$1" && grep -o '"id":"[^"]*"' "$T/body.fastcgi" | cut -d'"' -f4 | tr '\n' ' '; }

CGI=$(free_port)
serve cgi "$CGI"
FASTCGI=$(free_port)
serve fastcgi "$FASTCGI"
up() { curl -s -o /dev/null "http://127.0.0.1:$1/v1/tasks"; }
await 10 up "$CGI" && await 10 up "$FASTCGI"
ok $? "both servers are up"

if on lmdb; then
	both 200 "no store yet: a list" /v1/tasks
	body "is empty" '^\{"tasks":\[\],"next":null\}$'
	both 404 "no store yet: a task" /v1/tasks/$nobody
fi
for i in 1 2 3; do
	echo "{\"user\":\"ann\",\"goal\":\"task $i\",\"queue\":\"q$i\"}"
done | agent-submit --no-preflight >"$T/ids"
one=$(id_of "$T/ids" | sed -n 1p) two=$(id_of "$T/ids" | sed -n 2p) three=$(id_of "$T/ids" | sed -n 3p)
echo '{"user":"bob","goal":"not yours"}' | agent-submit --no-preflight >"$T/l"
bobs=$(id_of "$T/l")

# callers
AS='' both 401 "an empty token" /v1/tasks
says "asks for a token" '^www-authenticate: Bearer' "$T/short.cgi"
AS=Bearer\ agt_0123456789abcdef_$(printf '%064d' 0) both 401 "an unknown token" /v1/tasks
AS="Bearer ${ann}0" both 401 "a token and one digit more" "/v1/tasks/$one"
AS="Bearer ${ann%?}$(echo "$ann" | tail -c 2 | tr 0-9a-f 1-9a-f0)" both 401 "a wrong secret" "/v1/tasks/$one"
AS="Bearer $ann agt_x" both 401 "two tokens" /v1/tasks
AS="bearer $ann" both 200 "the scheme in small letters" "/v1/tasks/$one"
AS="Basic $ann" both 401 "another scheme" "/v1/tasks/$one"

# lists
same_soon "a list is newest first and only one's own" "$three $two $one " listed ''
both 200 "a page" "/v1/tasks?limit=2"
body "names the next page" "\"next\":\"$two\"}\$"
both 200 "which is the last one" "/v1/tasks?limit=2&before=$two"
body "has the rest" "^\{\"tasks\":\[\{\"id\":\"$one\".*\],\"next\":null\}\$"
same "by queue" "$two " "$(listed '?queue=q2')"
same "by state" "" "$(listed '?state=failed')"
etag=$(sed -n 's/^etag: //p' "$T/short.cgi")
both 304 "a list that is known" "/v1/tasks?limit=2&before=$two" -H "If-None-Match: \"x\", W/$etag"
same "has no body" 0 "$(wc -c <"$T/body.cgi")"
for bad in limit=0 limit=1001 limit=x limit= limit=1\&limit=1 state=done queue=Q queue= before=x nope=1 \
	user=bob wait=1 limit=%31%zz limit=1%00 'queue=%ff' limit; do
	both 400 "?$bad" "/v1/tasks?$bad"
done
both 200 "an encoded parameter" "/v1/tasks?l%69mit=%31"

# one task
both 200 "a task" "/v1/tasks/$one"
body "is the task, whole" "^\{\"id\":\"$one\".*\"user\":\"ann\".*\"task\":\{.*\}\}\$"
etag=$(sed -n 's/^etag: //p' "$T/short.cgi")
both 304 "a task that is known" "/v1/tasks/$one" -H "If-None-Match: $etag"
both 304 "any task will do" "/v1/tasks/$one" -H "If-None-Match: *"
both 200 "one that is not known" "/v1/tasks/$one" -H 'If-None-Match: "x"'
both 404 "another's" "/v1/tasks/$bobs"
sed "s/$bobs/ID/" "$T/body.cgi" >"$T/anothers"
both 404 "nobody's" "/v1/tasks/$nobody"
same "are told alike" "$(cat "$T/anothers")" "$(sed "s/$nobody/ID/" "$T/body.cgi")"
both 404 "another's events" "/v1/tasks/$bobs/events"
both 404 "another's result" "/v1/tasks/$bobs/result"
both 404 "no id" /v1/tasks/x
both 404 "no route" "/v1/tasks/$one/what"
both 404 "a path with dots" "/v1/tasks/$one%2f..%2f$bobs"
both 400 "wait of a minute" "/v1/tasks/$one?wait=60"
get cgi "/v1/tasks/$one"
grep -v HTTP "$T/short.cgi" >"$T/l"
for kind in cgi fastcgi; do
	get $kind "/v1/tasks/$one" -I
	same "HEAD, $kind: has the headers of GET" "$(cat "$T/l")" "$(grep -v HTTP "$T/short.$kind")"
done
both 405 "DELETE" "/v1/tasks/$one" -X DELETE
says "tells what is allowed" '^allow: GET, HEAD' "$T/short.cgi"
both 404 "no result yet" "/v1/tasks/$one/result"
body "says so" '"type":"no_result"'
get fastcgi "/v1/tasks/$one" -H 'X-Request-Id: my-1'
says "the request's id comes back" '^x-request-id: my-1$' "$T/low.fastcgi"
get fastcgi "/v1/tasks/$one" -H 'X-Request-Id: <b>'
says "one that is none is replaced" '^x-request-id: [0-9a-f-]{36}$' "$T/low.fastcgi"

# events
both 200 "events" "/v1/tasks/$one/events"
agent-status --events "$one" >"$T/events"
same "are those of the journal, byte for byte" "{\"events\":[$(cat "$T/events")],\"next\":1,\"ended\":false}" \
	"$(cat "$T/body.cgi")"
both 200 "events after" "/v1/tasks/$one/events?after=1"
same "are none" '{"events":[],"next":1,"ended":false}' "$(cat "$T/body.cgi")"
both 400 "events after no number" "/v1/tasks/$one/events?after=-1"
both 400 "Last-Event-ID is no number" "/v1/tasks/$one/events" -H 'Last-Event-ID: x'
both 200 "Last-Event-ID" "/v1/tasks/$one/events?after=0" -H 'Last-Event-ID: 1'
body "wins" '"events":\[\]'

# waiting: each of these is answered because of the signal, or it times out
waits() { # waits NAME SIGNAL PATH [OPTION...]: the answers come after the signal only
	name=$1 signal=$2
	shift 2
	(get cgi "$@") & first=$!
	(get fastcgi "$@") & second=$!
	# they wait: nothing has changed
	for i in 1 2 3 4 5; do sleep 0.05; kill -0 $first && kill -0 $second; done
	ok $? "$name: waits"
	agent-signal "$signal" "$one" >"$OUT" 2>"$ERR"
	ok $? "$name: $signal"
	wait $first
	wait $second
	same "$name: is answered then" "200 200" "$(code cgi) $(code fastcgi)"
}
waits "a task" pause "/v1/tasks/$one?wait=20" -H "If-None-Match: $etag"
says "with what it is now" '"state":"waiting"' "$T/body.fastcgi"
check "by both" cmp "$T/body.cgi" "$T/body.fastcgi"
next=$(agent-status --events "$one" | tail -n 1 | sed 's/.*"seq":\([0-9]*\).*/\1/')
waits "events" resume "/v1/tasks/$one/events?after=$next&wait=20"
says "with the new ones" '"signal":"resume"' "$T/body.fastcgi"
check "by both" cmp "$T/body.cgi" "$T/body.fastcgi"
get cgi "/v1/tasks/$one" && etag=$(sed -n 's/^etag: //p' "$T/short.cgi")
both 304 "a wait that is over" "/v1/tasks/$one?wait=1" -H "If-None-Match: $etag"
both 200 "a wait for events that is over" "/v1/tasks/$one/events?after=999&wait=1"
body "has none" '^\{"events":\[\],"next":999,"ended":false\}$'

# streams: to the end of the task
stream() { get "$1" "/v1/tasks/$one/events" -N -H 'Accept: text/event-stream' -H 'Last-Event-ID: 1'; }
(stream cgi) & first=$!
(stream fastcgi) & second=$!
await 10 grep -q resume "$T/body.cgi" && await 10 grep -q resume "$T/body.fastcgi"
ok $? "a stream gives what there is at once"
kill -0 $first && kill -0 $second
ok $? "and goes on"
agent-signal cancel "$one" >"$OUT" 2>"$ERR"
wait $first
wait $second
check "both end with the task, alike" cmp "$T/body.cgi" "$T/body.fastcgi"
says "has ids" '^id: [0-9]+$' "$T/body.cgi"
says "and types" '^event: cancelled$' "$T/body.cgi"
agent-status --events --after 1 "$one" | sed 's/^/data: /' >"$T/events"
same "and the events, byte for byte" "$(cat "$T/events")" "$(grep '^data' "$T/body.fastcgi")"
says "as an event stream" '^content-type: text/event-stream' "$T/short.fastcgi"
both 200 "the events of an ended task" "/v1/tasks/$one/events?after=999&wait=20"
body "have ended" '"ended":true'

check "nothing failed inside" sh -c "! grep level $T/cgi.err $T/fastcgi.err"
done_testing
