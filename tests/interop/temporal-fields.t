#!/bin/sh
# SPDX-License-Identifier: ISC
# The numbers, types and values in temporal.proto are those of Temporal's own
# descriptors, which come with PyPI's temporalio, into a virtual environment:
# TEMPORAL_VENV, or one that is made in the build folder.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"

compare() { "$PYTHON" "$ROOT/tests/interop/temporal-fields.py" "$1"; }
need protoc
python_with "${TEMPORAL_VENV:-$BUILD/temporal-venv}" temporalio 'temporalio>=1.9'
plan 5
check "every field and value is as in the original" \
	compare "$ROOT/common/temporal/temporal.proto"
sed 's/string run_id = 2/string run_id = 3/' \
	"$ROOT/common/temporal/temporal.proto" >"$T/wrong.proto"
status 1 "a wrong number is found" compare "$T/wrong.proto"
says "and named" '^WorkflowExecution.run_id: number 3, originally 2$' "$OUT"
sed 's/COMMAND_TYPE_RECORD_MARKER = 9/COMMAND_TYPE_RECORD_MARKER = 8/' \
	"$ROOT/common/temporal/temporal.proto" >"$T/wrong.proto"
status 1 "a wrong value of an enumeration is found" compare "$T/wrong.proto"
says "and named" '^COMMAND_TYPE_RECORD_MARKER: number 8, originally 9$' "$OUT"
