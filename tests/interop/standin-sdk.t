#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-standin as the official Python SDKs see it. They come from PyPI, into a
# virtual environment: SDK_VENV, or one that is made in the build folder.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"

python_with "${SDK_VENV:-$BUILD/sdk-venv}" 'anthropic, composio' 'anthropic>=2' composio
sed 's/^  anthropic: .*/  anthropic: [test-anthropic-key]/
	s/^  composio: .*/  composio: [test-composio-key]/' \
	"$ROOT/tests/data/standin/basic.yaml" >"$T/script.yaml"
standin "$T/script.yaml" --mailbox "$ROOT/tests/data/mailbox.mbox" || exit 1
# Its own plan follows.
test_plan=0
"$PYTHON" "$ROOT/tests/interop/standin-sdk.py" 2>"$ERR"
code=$?
[ $code -eq 0 ] || sed 's/^/# /' "$ERR"
exit $code
