#!/bin/sh
# SPDX-License-Identifier: ISC
# The services by TLS and HTTP/2, as they are in earnest. A request that the server
# says it did not process is made again; one that was cut off is in doubt.
# shellcheck disable=SC2119 # their options may be left out
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

need openssl
python_with "${H2_VENV:-$BUILD/h2-venv}" h2 h2
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
	-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
	-keyout "$T/key.pem" -out "$T/cert.pem" 2>"$T/openssl" || { cat "$T/openssl" >&2; exit 1; }
SSL_CERT_FILE=$T/cert.pem
export SSL_CERT_FILE

front() { # front [FAULT=N]: the services of the scene behind it
	rm -f "$T/front"
	start "$PYTHON" "$TOP/tests/interop/h2_front.py" "${URL#http://}" "$T/front" \
		"$T/cert.pem" "$T/key.pem" "$@" 2>"$T/front.log"
	await 10 test -s "$T/front" || { sed 's/^/# /' "$T/front.log"; exit 1; }
	ANTHROPIC_BASE_URL=$(cat "$T/front")
	COMPOSIO_BASE_URL=$ANTHROPIC_BASE_URL
}
writes() { # a scene of two calls that change something, one after the other
	scene <<-END
	model:
	  - when: { turn: { to: 2 } }
	    reply: { calls: [ { tool: NOTES_WRITE, input: { text: 'note {{turn}}' } } ] }
	  - when: { results: may have taken effect }
	    reply: { text: I was told. }
	  - reply: { text: All went well. }
	END
}
outcome() { # state, calls executed, repeated, in doubt, failed
	echo "$(get state) $(executed NOTES_WRITE) $(repeated) $(get calls_unknown) $(count tool.failed)"
}

writes
front
submit "two notes"
check "a worker speaks HTTP/2" work
same "and all goes well" "completed 2 0 0 0" "$(outcome)"
for fault in refuse goaway; do
	for at in 1 2; do
		writes
		front $fault=$at
		submit "$fault $at"
		work
		same "$fault, call $at: made again" "completed 2 0 0 1" "$(outcome)"
		same "$fault, call $at: it says why" 1 "$(events 'map(select(.type == "tool.failed" and
			(.error.message | contains("refused the stream")))) | length')"
	done
done
for fault in cut reset; do
	for at in 1 2; do
		writes
		front $fault=$at
		submit "$fault $at"
		work
		same "$fault, call $at: in doubt" "completed 2 0 1 0" "$(outcome)"
	done
done
sound
done_testing
