#!/bin/sh
# SPDX-License-Identifier: ISC
# The numbers and types in temporal.proto are those of Temporal's own
# descriptors, which come with PyPI's temporalio, into a virtual environment:
# TEMPORAL_VENV, or one that is made in the build folder.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"

VENV=${TEMPORAL_VENV:-$BUILD/temporal-venv}
compare() { "$VENV/bin/python" "$ROOT/tests/interop/temporal-fields.py" "$1"; }
command -v python3 >/dev/null || skip_all "python3 is needed"
command -v protoc >/dev/null || skip_all "protoc is needed"
if ! "$VENV/bin/python" -c 'import temporalio' 2>/dev/null; then
	{ python3 -m venv "$VENV" \
		&& "$VENV/bin/pip" install -q 'temporalio>=1.9'; } >"$T/pip" 2>&1 \
		|| skip_all "temporalio cannot be had from PyPI: $(tail -n 1 "$T/pip")"
fi
plan 3
check "every field is as in the original" \
	compare "$ROOT/common/temporal/temporal.proto"
sed 's/string run_id = 2/string run_id = 3/' \
	"$ROOT/common/temporal/temporal.proto" >"$T/wrong.proto"
status 1 "a wrong number is found" compare "$T/wrong.proto"
says "and named" '^WorkflowExecution.run_id: number 3, originally 2$' "$OUT"
