#!/bin/sh
# SPDX-License-Identifier: ISC
# A task as Temporal's official Python SDK sees it: it starts one, signals it,
# awaits it, has one as the child of a workflow of its own, and reads what is in
# the histories. The SDK comes from PyPI, into a virtual environment:
# TEMPORAL_VENV, or one that is made in the build folder.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"
TOP=$ROOT

python_with "${TEMPORAL_VENV:-$BUILD/temporal-venv}" temporalio 'temporalio>=1.9'
ENGINE=temporal
engine
standin "$ROOT/scripts/examples/standin-triage.yaml" \
	--mailbox "$ROOT/tests/data/mailbox.mbox" || exit 1
# makes the search attributes known, and is there to be awaited
agent-preflight -f "$ROOT/scripts/examples/mail-triage.yaml" |
	agent-submit >"$T/submitted" || exit 1
ID=$(sed 's/.*"id":"\([^"]*\)".*/\1/' "$T/submitted")
start agent-worker 2>"$T/worker.log"
# Its own plan follows.
test_plan=0
TEMPORAL=$TEMPORAL ID=$ID timeout 120 "$PYTHON" \
	"$ROOT/tests/interop/temporal-sdk.py" 2>"$ERR"
code=$?
[ $code -eq 0 ] || sed 's/^/# /' "$ERR" "$T/worker.log" | cut -c 1-400
exit $code
