#!/bin/sh
# SPDX-License-Identifier: ISC
# The parts of the web page that need no browser (cmd/web/unit), as the TAP that
# node writes.
. "$(dirname "$0")/lib.sh"
XDG_CACHE_HOME=$test_cache "$TOP/scripts/web-build" unit >"$T/tap" 2>"$ERR"
case $? in
111) skip_all "NO NODE.JS OR NO PACKAGES: $(tail -n 1 "$ERR")" ;;
esac
cat "$T/tap"
test_plan=$(grep -c '^ok ' "$T/tap")
test_count=$(sed -n 's/^1\.\.//p' "$T/tap")
[ -n "$test_count" ] || { cat "$ERR" >&2; exit 1; }
