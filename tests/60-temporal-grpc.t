#!/bin/sh
# SPDX-License-Identifier: ISC
# The gRPC channel and the client's calls against a real Temporal server: what
# each call does, connections that the server ends, a server that dies.
. "$(dirname "$0")/lib.sh"

client=$BUILD/interop/temporal_client
trap 'temporal_server stop --folder "$T/one"; temporal_server stop --folder "$T/two"; finish' EXIT

begin() { # begin FOLDER OPTION...: sets AGENT_TEMPORAL
	folder=$T/$1
	shift
	obtain Temporal temporal_server start --folder "$folder" --tuned "$@"
	AGENT_TEMPORAL=$(cat "$OUT")
	export AGENT_TEMPORAL
}

begin one --keep
plan 13
check "every call of the client, and a worker's" "$client" calls
says "a missing namespace is named" 'no namespace "no-such"' "$OUT"

# TLS: our certificate authority, the server's certificate and the client's
certificate() { # certificate NAME SUBJECT EXTENSION ISSUER
	openssl req -newkey rsa:2048 -nodes -keyout "$T/$1.key" -subj "/CN=$2" \
		-out "$T/$1.csr" 2>>"$T/openssl" &&
		echo "$3" >"$T/$1.ext" &&
		openssl x509 -req -in "$T/$1.csr" -days 2 -extfile "$T/$1.ext" \
			-CA "$T/$4.pem" -CAkey "$T/$4.key" -CAcreateserial \
			-out "$T/$1.pem" 2>>"$T/openssl"
}
authority() { # authority NAME
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/$1.key" -days 2 \
		-subj "/CN=$1" -out "$T/$1.pem" 2>>"$T/openssl"
}
{ authority ours && authority theirs &&
	certificate server temporal.test subjectAltName=DNS:temporal.test ours &&
	certificate client worker basicConstraints=CA:FALSE ours; } ||
	cat "$T/openssl" >&2
start python3 "$TOP/tests/interop/tls_proxy.py" "$AGENT_TEMPORAL" "$T/proxy" \
	"$T/server.pem" "$T/server.key" "$T/ours.pem"
await 10 test -s "$T/proxy"
secure() { # secure NAME=VALUE... COMMAND...
	env AGENT_TEMPORAL="$(cat "$T/proxy")" \
		TEMPORAL_TLS_SERVER_NAME=temporal.test \
		TEMPORAL_TLS_SERVER_CA_CERT_PATH="$T/ours.pem" \
		TEMPORAL_TLS_CLIENT_CERT_PATH="$T/client.pem" \
		TEMPORAL_TLS_CLIENT_KEY_PATH="$T/client.key" "$@"
}
check "over TLS with certificates and a key" \
	secure TEMPORAL_API_KEY=secret "$client" steady 2
status 111 "a server with a certificate of others" \
	secure TEMPORAL_TLS_SERVER_CA_CERT_PATH="$T/theirs.pem" "$client" once
says "is not trusted" 'cannot reach.*certificate' "$ERR"
status 111 "a server with another name" \
	secure TEMPORAL_TLS_SERVER_NAME=other.test "$client" once
status 111 "a client without a certificate is refused" \
	secure TEMPORAL_TLS_CLIENT_CERT_PATH= TEMPORAL_TLS_CLIENT_KEY_PATH= \
	"$client" once
status 100 "a certificate that is not there" \
	secure TEMPORAL_TLS_CLIENT_CERT_PATH="$T/none" "$client" once
status 111 "TLS to a server without it" \
	secure AGENT_TEMPORAL="$AGENT_TEMPORAL" "$client" once

# the server is killed and started again while calls are made
"$client" patient "$T/enough" >"$T/patient" 2>&1 &
patient=$!
test_pids="$test_pids $patient"
await 20 grep -q begun "$T/patient"
read -r pid _ <"$T/one/pid"
kill -KILL "$pid"
await 10 sh -c "! kill -0 $pid" 2>/dev/null
check "a server that was killed starts again where it was" \
	temporal_server start --folder "$T/one" --tuned --keep
touch "$T/enough"
wait "$patient"
cp "$T/patient" "$OUT"
ok $? "no call fails over the death of the server"
says "calls were made" '^# [0-9]+ calls' "$T/patient"
temporal_server stop --folder "$T/one"

begin two --set 'frontend.keepAliveMaxConnectionAge="2s"'
check "no call fails over connections that the server ends" "$client" steady 6
