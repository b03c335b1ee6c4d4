#!/bin/sh
# SPDX-License-Identifier: ISC
# What the web page must bear, and may weigh: tests/web/limits.mjs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/gateway.sh
. "$TOP/tests/gateway.sh"
# shellcheck source=tests/web.sh
. "$TOP/tests/web.sh"

standin "$TOP/tests/data/standin/hostile.yaml" || exit 1
web_play limits.mjs
