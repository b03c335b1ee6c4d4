#!/bin/sh
# SPDX-License-Identifier: ISC
# man/agent-task.schema.json and the programs agree about every task in
# tests/data/tasks: good-* is valid for both, bad-* for neither; beyond-* is
# refused by the programs for reasons that a schema cannot express.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$TOP" || exit 1
for file in tests/data/tasks/*.json; do
	agent-preflight --check-only -f "$file" >"$OUT" 2>"$ERR"
	case $? in
	0) echo "valid $file" ;;
	100) echo "invalid $file" ;;
	*) echo "odd $file" ;;
	esac
done >"$T/programs"

wanted() { # wanted FILE
	case ${1##*/} in
	good-*) echo valid ;;
	*) echo invalid ;;
	esac
}
while read -r verdict file; do
	same "program: ${file##*/}" "$(wanted "$file")" "$verdict"
done <"$T/programs"

if python3 -c 'import jsonschema; jsonschema.Draft202012Validator' \
	2>/dev/null; then
	python3 tests/schema.py man/agent-task.schema.json \
		tests/data/tasks/*.json >"$T/schema" 2>"$ERR"
	ok $? "the schema is a schema"
	while read -r verdict file; do
		case ${file##*/} in
		beyond-*) ;;
		*) same "schema: ${file##*/}" "$(wanted "$file")" \
			"$verdict" ;;
		esac
	done <"$T/schema"
else
	skip "the schema" "python3-jsonschema: it is not installed"
fi
done_testing
