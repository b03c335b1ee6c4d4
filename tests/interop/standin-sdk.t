#!/bin/sh
# SPDX-License-Identifier: ISC
# agent-standin as the official SDKs of both services see it, in Python and in
# TypeScript: the oldest versions that speak as the services do today, and the
# newest. They come from PyPI and from npm, once, into the cache.
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"
TOP=$ROOT
sdk=$test_cache/agent-utils/sdk

# npm_packages FOLDER CLIENT PACKAGE@VERSION...: in FOLDER; the newest core asks for
# a version of its client that is not there, and gets CLIENT.
npm_packages() {
	folder=$1 client=$2
	shift 2
	mkdir -p "$folder" && exec 9>"$folder/lock" && flock 9
	[ ! -e "$folder/complete" ] || return 0
	echo '{"private":true,"overrides":{"@composio/client":"'"$client"'"}}' >"$folder/package.json"
	web_build node -e 'require("node:child_process").execFileSync("npm",
		process.argv.slice(1), { stdio: "inherit", cwd: process.argv[3] })' -- \
		install --prefix "$folder" --ignore-scripts --no-audit --no-fund --no-progress "$@" ||
		return 111
	: >"$folder/complete"
}
sees() { # sees NAME COMMAND...: its TAP, with our numbers, of a stand-in of its own
	prefix=$1
	shift
	standin "$T/script.yaml" --mailbox "$ROOT/tests/data/mailbox.mbox" >"$OUT" ||
		{ echo "Bail out! no stand-in"; exit 1; }
	"$@" >"$T/tap" 2>"$ERR"
	: >"$OUT"
	while read -r word rest; do
		case $word in
		ok) ok 0 "$prefix: ${rest#*- }" ;;
		not) ok 1 "$prefix: ${rest#*- }" ;;
		'#') echo "# $rest" ;;
		esac
	done <"$T/tap"
	says "$prefix: all of it" '^1\.\.[1-9]' "$T/tap"
}

python() { # python ANTHROPIC COMPOSIO
	python_with "$sdk/python-$1-$2" 'anthropic, composio' "anthropic==$1" "composio==$2"
}
node() { # node ANTHROPIC COMPOSIO CLIENT
	folder=$sdk/node-$1-$2
	obtain npm npm_packages "$folder" "$3" "@anthropic-ai/sdk@$1" "@composio/core@$2"
}
# All are there before the first of them is tried.
python 2.0.0 0.22.0
oldest=$PYTHON
python 2.14.0 0.30.0
newest=$PYTHON
node 1.0.0 0.19.0 0.1.0-alpha.76
oldest_node=$folder
node 1.14.0 0.21.0 2.0.0-rc.6
newest_node=$folder

sed 's/^  anthropic: .*/  anthropic: [test-anthropic-key]/
	s/^  composio: .*/  composio: [test-composio-key]/' \
	"$ROOT/tests/data/standin/basic.yaml" >"$T/script.yaml"
sees "Python, oldest" "$oldest" "$ROOT/tests/interop/standin-sdk.py"
sees "Python, newest" "$newest" "$ROOT/tests/interop/standin-sdk.py"
sees "TypeScript, oldest" web_build node "$ROOT/tests/interop/standin-sdk.mjs" "$oldest_node"
sees "TypeScript, newest" web_build node "$ROOT/tests/interop/standin-sdk.mjs" "$newest_node"
done_testing
