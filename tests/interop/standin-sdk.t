#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-standin as the official Python SDKs see it. They come from PyPI, into a
# virtual environment: SDK_VENV, or one that is made in the build folder.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"

VENV=${SDK_VENV:-$BUILD/sdk-venv}
command -v python3 >/dev/null || skip_all "python3 is needed"
if ! "$VENV/bin/python" -c 'import anthropic, composio' 2>/dev/null; then
	{ python3 -m venv "$VENV" \
		&& "$VENV/bin/pip" install -q 'anthropic>=2' composio; } >"$T/pip" 2>&1 \
		|| skip_all "the SDKs cannot be had from PyPI: $(tail -n 1 "$T/pip")"
fi
sed 's/^  anthropic: .*/  anthropic: [test-anthropic-key]/
	s/^  composio: .*/  composio: [test-composio-key]/' \
	"$ROOT/tests/data/standin/basic.yaml" >"$T/script.yaml"
standin "$T/script.yaml" --mailbox "$ROOT/tests/data/mailbox.mbox" || exit 1
# Its own plan follows.
test_plan=0
"$VENV/bin/python" "$ROOT/tests/interop/standin-sdk.py" 2>"$ERR"
code=$?
[ $code -eq 0 ] || sed 's/^/# /' "$ERR"
exit $code
