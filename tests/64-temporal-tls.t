#!/bin/sh
# SPDX-License-Identifier: ISC
# The programs speak to a server through TLS, with certificates on both sides and
# an API key, and say what is wrong when one of them is.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need openssl
ENGINE=temporal
engine

authority() { # authority NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=$1" -keyout "$T/$1.key" -out "$T/$1.pem"
}
certificate() { # certificate NAME COMMON-NAME EXTENSION: of ours
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
		-keyout "$T/$1.key" -out "$T/$1.csr" &&
		echo "$3" >"$T/$1.ext" &&
		openssl x509 -req -in "$T/$1.csr" -CA "$T/ours.pem" -CAkey "$T/ours.key" \
			-CAcreateserial -days 2 -extfile "$T/$1.ext" -out "$T/$1.pem"
}
{ authority ours && authority theirs &&
	certificate server temporal.test subjectAltName=DNS:temporal.test &&
	certificate client worker basicConstraints=CA:FALSE; } >"$T/openssl" 2>&1 ||
	{ cat "$T/openssl" >&2; exit 1; }
start python3 "$TOP/tests/interop/tls_proxy.py" "$TEMPORAL" "$T/proxy" \
	"$T/server.pem" "$T/server.key" "$T/ours.pem"
await 10 test -s "$T/proxy"
standin "$TOP/scripts/examples/standin-triage.yaml" --mailbox "$TOP/tests/data/mailbox-small.mbox" || exit 1
echo key-of-temporal-4711 >"$T/key"
AGENT_ENGINE=temporal://$(cat "$T/proxy")/default
TEMPORAL_TLS_SERVER_NAME=temporal.test
TEMPORAL_TLS_SERVER_CA_CERT_PATH=$T/ours.pem
TEMPORAL_TLS_CLIENT_CERT_PATH=$T/client.pem
TEMPORAL_TLS_CLIENT_KEY_PATH=$T/client.key
TEMPORAL_API_KEY_FILE=$T/key
export AGENT_ENGINE TEMPORAL_TLS_SERVER_NAME TEMPORAL_TLS_SERVER_CA_CERT_PATH \
	TEMPORAL_TLS_CLIENT_CERT_PATH TEMPORAL_TLS_CLIENT_KEY_PATH TEMPORAL_API_KEY_FILE

check "a task is checked" agent-preflight -f "$TOP/scripts/examples/mail-triage.yaml"
cp "$OUT" "$T/passed"
check "is submitted" agent-submit -f "$T/passed"
ID=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$OUT")
state() { agent-status "$ID" | grep -q "\"state\":\"$1\""; }
check "is shown" state queued
check "is paused" agent-signal pause "$ID"
start agent-worker --verbose 2>"$T/worker.log"
worker=$STARTED
check "is resumed" agent-signal resume "$ID"
check "is followed to its end" timeout 60 agent-status --follow "$ID"
check "and complete" state completed
counted() { agent-scale-probe | grep -q '"completed":1'; }
check "is counted" await 10 counted
kill -TERM "$worker"
wait "$worker"
same "the worker ends in order" 0 $?
agent-status --events "$ID" >"$T/events"
rm -f "$OUT" "$ERR"
check "the key is nowhere" sh -c "! grep -q key-of-temporal '$T/events' '$T/worker.log'"

for program in agent-status "agent-worker --once"; do # each tries for ten seconds
	who=${program%% *}
	# shellcheck disable=SC2086 # words
	{
		status 111 "$who: a server with a certificate of others" env \
			TEMPORAL_TLS_SERVER_CA_CERT_PATH="$T/theirs.pem" $program
		says "$who: is not trusted" 'cannot reach.*certificate' "$ERR"
		status 111 "$who: without a certificate it is refused" env \
			TEMPORAL_TLS_CLIENT_CERT_PATH= TEMPORAL_TLS_CLIENT_KEY_PATH= $program
		status 100 "$who: a certificate that is not there" env \
			TEMPORAL_TLS_CLIENT_CERT_PATH="$T/none" $program
		status 100 "$who: a key that is not there" env \
			TEMPORAL_API_KEY_FILE="$T/none" $program
	}
done
done_testing
