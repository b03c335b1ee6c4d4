#!/bin/sh
# SPDX-License-Identifier: ISC
# The web page in a real browser, in front of the real gateway, worker and
# stand-in: tests/web/story.mjs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/gateway.sh
. "$TOP/tests/gateway.sh"
# shellcheck source=tests/web.sh
. "$TOP/tests/web.sh"

# slow enough that one sees text come, and kills in the middle
sed 's/^  messages: .*/  messages: 250/; s/^  tools: .*/  tools: 600/; $a drip: 35' \
	"$TOP/scripts/examples/standin-triage.yaml" >"$T/script.yaml"
standin "$T/script.yaml" --mailbox "$TOP/tests/data/mailbox.mbox" || exit 1
web_play story.mjs
