#!/bin/sh
# SPDX-License-Identifier: ISC
# Hostile requests: each gets an answer in JSON, none succeeds,
# and the gateway stays unchanged.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/gateway.sh
. "$TOP/tests/gateway.sh"

AGENT_STORE=$T/store
export AGENT_STORE
# shellcheck disable=SC2119 # its settings may be left out
gateway
WHO=$(token ana)
post 202 "a task" /v1/tasks '{"goal":"g"}'
id=$(sed -n 's/^{"id":"\([^"]*\)".*/\1/p' "$OUT")
refused() { # refused TYPE: the answer is an error in JSON
	says "is an error in JSON" "^\\{\"error\":\\{\"type\":\"$1\",\"message\":\"" "$OUT"
	says "and says so" '^Content-Type: application/json' "$HEAD"
}

# ---- too much ----
long=$(head -c 9000 /dev/zero | tr '\0' a)
call 431 "a long header" GET /v1/queue -H "X-Long: $long"
refused headers_too_large
call 431 "a long address" GET "/v1/queue?$long"
refused headers_too_large
head -c 1048570 /dev/zero | tr '\0' ' ' >"$T/body"
printf '{"goal":1}' >>"$T/body"
post 413 "a body over the gateway's limit" /v1/tasks "@$T/body"
refused too_large
head -c 30000000 /dev/zero >"$T/body"
post 413 "a huge body" /v1/tasks "@$T/body"
refused too_large
post 413 "one that does not say how long it is" /v1/tasks "@$T/body" -H 'Transfer-Encoding: chunked'
refused too_large
{
	printf '{"goal":"'
	head -c 1000000 /dev/zero | tr '\0' x
	printf '"}'
} >"$T/body"
post 400 "a long goal" /v1/tasks "@$T/body"
refused invalid_task
head -c 100000 /dev/zero | tr '\0' '[' >"$T/body"
post 400 "100000 levels" /v1/tasks "@$T/body"
refused invalid_json
{
	printf '{"goal":"g","labels":{"a":"b"'
	seq 5000 | sed 's/.*/,"l&":"x"/'
	printf '}}'
} >"$T/body"
post 400 "5000 labels" /v1/tasks "@$T/body"

# ---- bad JSON ----
for body in '{' '{"goal":"g"}{' '{"goal":"g"}x' '{"goal":"a\u0000b"}' '{"goal":"g","goal":"h"}' \
	'{"goal":"\ud800"}' '[]' 'null' '"g"' '{"goal":NaN}' '{"goal":1e999}' "{'goal':'g'}"; do
	post 400 "no task: $body" /v1/tasks "$body"
done
refused 'invalid_[a-z]*'
printf '{"goal":"a\000b"}' >"$T/body"
post 400 "a NUL" /v1/tasks "@$T/body"
printf '{"goal":"\377"}' >"$T/body"
post 400 "no UTF-8" /v1/tasks "@$T/body"
# shellcheck disable=SC2016 # it must not be run
post 202 "what a shell would run is only words" /v1/tasks \
	'{"goal":"$(touch '"$T"'/run-a) `touch '"$T"'/run-b`; touch '"$T"'/run-c %s \\n"}' \
	-H 'Idempotency-Key: $(touch '"$T"'/run-d) "; `touch '"$T"'/run-e`' -H 'X-Request-Id: $(id)'
check "and nothing was run" sh -c "! ls '$T'/run-? 2>/dev/null"
check "an id that is none is not taken" sh -c "! grep -q 'X-Request-Id: \\$' '$HEAD'"
post 202 "options are only words" /v1/tasks '{"goal":"--help"}' -H 'Idempotency-Key: --help'
post 400 "a key with a control character" /v1/tasks '{"goal":"g"}' -H "Idempotency-Key: a$(printf '\001')b"
post 400 "a key that is not ASCII" /v1/tasks '{"goal":"g"}' -H 'Idempotency-Key: ü'

# ---- paths ----
for path in /../v1/queue //v1/queue /v1/../v1/queue "/v1/tasks/../queue" '/v1/queue%00' \
	'/v1/queue%0d%0aX-Evil:%20y' '/v1/tasks/%2e%2e/queue' "/v1/tasks%2f$id" '/v1/tasks/..%2f..%2fetc%2fpasswd' \
	'/%2e%2e/%2e%2e/etc/passwd' '/../../etc/passwd'; do
	call 400 "$path" GET "$path"
	refused bad_request
done
for path in /v1/queue/ /v1/%71ueue /v1 /v1/ "/v1/tasks/$id/" "/v1/tasks/$id/events/x" /v1/tasks/x; do
	call 404 "$path" GET "$path"
	refused 'no_task|not_found'
done
call 404 "files are the page's only" GET /lighttpd.conf
call 404 "and the programs no files" GET /agent-gateway

# ---- raw bytes ----
cat >"$T/raw.py" <<'END'
import socket, sys
port, who = int(sys.argv[1]), sys.argv[2].encode()
auth = b"Host: h\r\nAuthorization: Bearer " + who + b"\r\n"
small = b"Content-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"goal\":\"g\"}"
rows = [
    ("a header with a NUL", b"GET /v1/queue HTTP/1.1\r\n" + auth + b"X-Request-Id: a\0b\r\n\r\n", b"400"),
    ("an address with a NUL", b"GET /v1/queue\0 HTTP/1.1\r\n" + auth + b"\r\n", b"400"),
    ("no Host", b"GET /v1/queue HTTP/1.1\r\n\r\n", b"400"),
    ("two Hosts", b"GET /v1/queue HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
    ("two lengths", b"POST /v1/tasks HTTP/1.1\r\n" + auth + b"Content-Length: 12\r\n" + small, b"400"),
    ("a length and chunks", b"POST /v1/tasks HTTP/1.1\r\n" + auth + b"Transfer-Encoding: chunked\r\n" + small, b"400"),
    ("a length that is none", b"POST /v1/tasks HTTP/1.1\r\n" + auth + b"Content-Length: -1\r\n\r\n", b"400"),
    ("no HTTP", b"GARBAGE\r\n\r\n", b"400"),
    ("a version that is none", b"GET /v1/queue HTTP/9.1\r\n" + auth + b"\r\n", b"505"),
    ("a method that is none", b"FOO /v1/queue HTTP/1.1\r\n" + auth + b"\r\n", b"501"),
    ("no body", b"POST /v1/tasks HTTP/1.1\r\n" + auth + b"\r\n", b"411"),
]
for number, (name, request, wanted) in enumerate(rows):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        s.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got or not got.split(b"\r\n\r\n", 1)[1]:
            more = s.recv(65536)
            if not more:
                break
            got += more
    head, _, body = got.partition(b"\r\n\r\n")
    fine = head.split(b" ")[1:2] == [wanted] and body.startswith(b'{"error":{"type":"') \
        and b"application/json" in head
    print("fine" if fine else "bad", name, "" if fine else got[:300])
END
python3 "$T/raw.py" "$PORT" "$WHO" >"$T/raw" 2>&1
while read -r verdict name; do
	[ "$verdict" = fine ]
	ok $? "$name"
done <"$T/raw"
same "all were tried" 11 "$(wc -l <"$T/raw")"

# ---- and after all that ----
call 200 "the gateway answers" GET /v1/tasks
same "with the tasks that were meant" 3 "$(grep -o '"id":' "$OUT" | wc -l)"
check "the store is sound" agent-store check
status 1 "no secret is in a log" grep -rF "$WHO" "$RUN"
done_testing
