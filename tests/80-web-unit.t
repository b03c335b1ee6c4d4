#!/bin/sh
# SPDX-License-Identifier: ISC
# The parts of the web page that need no browser (cmd/web/unit), as the TAP that
# node writes.
. "$(dirname "$0")/lib.sh"
obtain Node.js web_build node --version
web_build unit 2>"$ERR" | tee "$T/tap"
test_plan=$(grep -c '^ok ' "$T/tap")
test_count=$(sed -n 's/^1\.\.//p' "$T/tap")
[ -n "$test_count" ] || { cat "$ERR" >&2; exit 1; }
