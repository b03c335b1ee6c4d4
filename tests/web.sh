# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154 # what is set is for the tests
# Sourced after lib.sh and gateway.sh by the tests that use the web page in a
# browser. They are programs in tests/web, which write TAP:
#
#	web_play NAME.mjs   runs one, with the page, a gateway, and two tokens

need chromium
CHROMIUM=$(command -v chromium)
obtain "web page" web_build
obtain Node.js web_build node --version

web_play() {
	mkdir -p "$T/page"
	cp -R "$TOP/cmd/web/out/." "$T/page"
	gateway AGENT_GATEWAY_RATE=0
	ORIGIN=$API GATEWAY="lighttpd -D -f $TOP/cmd/gateway/lighttpd.conf"
	TOKEN_ANA=$(token ana) && TOKEN_BEN=$(token ben) || exit 1
	export T TOP CHROMIUM ORIGIN GATEWAY SERVER TOKEN_ANA TOKEN_BEN
	web_build node "$TOP/tests/web/$1" | tee "$T/tap"
	test_plan=$(sed -n 's/^1\.\.//p' "$T/tap")
	test_count=$(grep -c '^ok ' "$T/tap")
	[ -n "$test_plan" ] || exit 1
}
