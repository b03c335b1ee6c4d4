#!/bin/sh
# SPDX-License-Identifier: ISC
# Schemathesis, with all its checks, over every route of the gateway under its real
# web server: what openapi.json says is what the gateway does, for requests that fit
# and requests that do not. It comes from PyPI: SCHEMATHESIS_VENV, or a virtual
# environment that is made in the build folder.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"
TOP=$ROOT
. "$ROOT/tests/gateway.sh"

python_with "${SCHEMATHESIS_VENV:-$BUILD/schemathesis-venv}" schemathesis 'schemathesis>=4.3,<5'
standin "$ROOT/scripts/examples/standin-triage.yaml" --mailbox "$ROOT/tests/data/mailbox-small.mbox" ||
	{ echo "Bail out! no stand-in"; exit 1; }
gateway AGENT_GATEWAY_FASTCGI="${FASTCGI:-1}"
WHO=$(token ana)
post 202 "a task is there" /v1/tasks '{"goal":"Say hello."}'

mkdir "$T/schemathesis"
cp "$ROOT/tests/interop/gateway_hooks.py" "$T/schemathesis/"
cat >"$T/schemathesis/schemathesis.toml" <<'END'
hooks = "gateway_hooks"
request-timeout = 40
[checks.positive_data_acceptance]
# a valid task may be refused by the pre-flight; what has not changed is 304
expected-statuses = ["2xx", "304", "404", "409", "422"]
END
run() {
	cd "$T/schemathesis" && PYTHONPATH=. SCHEMATHESIS_HOOKS=gateway_hooks timeout "${LIMIT:-400}" \
		"${PYTHON%/*}/schemathesis" run "$ROOT/cmd/gateway/openapi.json" --url "$API" \
		-H "Authorization: Bearer $WHO" --checks all --max-examples "${EXAMPLES:-5}" \
		--seed 1 --no-color
}
check "every route does what openapi.json says" run
cp "$OUT" "$T/report"
[ "$test_failed" -eq 0 ] || sed -n '/ERRORS ==/,$p' "$T/report" | sed 's/^/# /' | cut -c1-300 | head -n 200
says "all routes were asked" 'Tested: 12' "$T/report"
says "with hundreds of requests" '[0-9]{3,} generated' "$T/report"
grep -E 'generated|=====.* in ' "$T/report" | sed 's/^/# /'
WHO=$(token ben)
call 200 "the gateway still answers" GET /v1/tasks
check "and the store is sound" agent-store check
done_testing
