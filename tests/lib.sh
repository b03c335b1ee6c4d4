# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# Sourced by every tests/*.t: TAP for shell tests that drive the built programs.
#
#	. "$(dirname "$0")/lib.sh"
#	plan 2
#	check "what must hold" command ...         passes when the command exits 0
#	status 100 "bad input" agent-submit -f x   passes when it exits 100
#	done_testing (when no plan was given)
#
# A test whose needs cannot be met here is skipped, loudly; scripts/check
# names it. When something is here and does not work, the test fails.
#
#	need TOOL...              of Debian, or all is skipped
#	obtain SUBJECT COMMAND... or all is skipped, when COMMAND ends with 111; with
#	                          any other status but 0 the test fails. What COMMAND
#	                          prints is in $OUT
#	python_with ...           Python with packages from PyPI
#	skip NAME "SUBJECT: why"  one test, and skip_all "SUBJECT: why" all of them
#
# $T is a scratch folder that is removed at the end; $OUT and $ERR hold what the
# last check or status printed. A failing check shows both. start runs a program
# in the background and it is ended by pid at the end, whatever happens.

set -u
TOP=$(cd "$(dirname "$0")/.." && pwd)
BIN=${BIN:-$TOP/bin}
BUILD=${BUILD:-$TOP/build}
PATH=$BIN:$PATH:/usr/sbin # lighttpd
T=$(mktemp -d "${TMPDIR:-/tmp}/agent-test.XXXXXX")
OUT=$T/.out ERR=$T/.err
export PATH
unset AGENT_STORE AGENT_CONFIG AGENT_ENGINE XDG_STATE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR \
	ANTHROPIC_API_KEY COMPOSIO_API_KEY ANTHROPIC_BASE_URL COMPOSIO_BASE_URL
ENGINE=${ENGINE:-lmdb}
test_cache=${XDG_CACHE_HOME:-$HOME/.cache} test_server=''
unset XDG_CACHE_HOME
HOME=$T/home
mkdir "$HOME"
export HOME
test_count=0 test_failed=0 test_plan='' test_pids=''

finish() {
	for pid in $test_pids; do
		# the pid of a child that has ended may belong to another process
		grep -qs "^PPid:.$$\$" "/proc/$pid/status" && kill -KILL "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	[ -z "$test_server" ] || temporal_server stop --folder "$test_server"
	if [ -n "${KEEP-}" ]; then echo "# kept: $T"; else rm -rf "$T"; fi
	if [ -n "$test_plan" ] && [ "$test_plan" -ne "$test_count" ]; then exit 1; fi
	[ "$test_failed" -eq 0 ] || exit 1
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

plan() { test_plan=$1; echo "1..$1"; }
done_testing() { test_plan=$test_count; echo "1..$test_count"; }
skip_all() { echo "1..0 # SKIP $*"; test_plan=0; exit 0; }
skip() { # skip NAME "SUBJECT: why"
	test_count=$((test_count + 1))
	echo "ok $test_count - $1 # SKIP $2"
}

ok() { # ok STATUS NAME
	test_count=$((test_count + 1))
	if [ "$1" -eq 0 ]; then echo "ok $test_count - $2"; return 0; fi
	test_failed=$((test_failed + 1))
	echo "not ok $test_count - $2"
	[ -f "$OUT" ] && head -c 4000 "$OUT" | sed 's/^/# out: /'
	[ -f "$ERR" ] && head -c 4000 "$ERR" | sed 's/^/# err: /'
	return 0
}

check() { # check NAME COMMAND...
	name=$1
	shift
	"$@" >"$OUT" 2>"$ERR"
	ok $? "$name"
}

status() { # status WANTED NAME COMMAND...
	wanted=$1 name=$2
	shift 2
	"$@" >"$OUT" 2>"$ERR"
	got=$?
	[ $got -eq "$wanted" ] || echo "# exit status $got, wanted $wanted"
	[ $got -eq "$wanted" ]
	ok $? "$name"
}

same() { # same NAME WANTED GOT
	[ "$2" = "$3" ] || printf '# wanted: %s\n# got:    %s\n' "$2" "$3"
	[ "$2" = "$3" ]
	ok $? "$1"
}

says() { # says NAME PATTERN FILE: an extended regular expression found in it
	grep -Eq -e "$2" "$3" || { printf '# wanted: %s\n' "$2"; head -c 4000 "$3" | sed 's/^/# got: /'; }
	grep -Eq -e "$2" "$3"
	ok $? "$1"
}

start() { # start PROGRAM...: in the background; $STARTED is its pid
	"$@" &
	STARTED=$!
	test_pids="$test_pids $STARTED"
}

await() { # await SECONDS COMMAND...: until it succeeds, asked every 20 ms
	tries=$(($1 * 50))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.02
	done
}

need() { # need TOOL...
	for tool; do
		command -v "$tool" >/dev/null ||
			skip_all "$tool: it is not installed, see scripts/install-deps"
	done
}

obtain() { # obtain SUBJECT COMMAND...
	subject=$1
	shift
	("$@") >"$OUT" 2>"$ERR"
	case $? in
	0) return ;;
	111) skip_all "$subject: $(tail -n 1 "$ERR")" ;;
	esac
	ok 1 "$subject is here and works"
	[ -n "$test_plan" ] || done_testing
	exit 1
}

# python_with FOLDER MODULES PACKAGE...: sets $PYTHON to one that can import
# MODULES, which are in these packages of PyPI. FOLDER is its virtual environment.
python_with() {
	need python3
	PYTHON=$1/bin/python modules=$2 folder=$1
	shift 2
	obtain PyPI virtual_environment "$@"
}
virtual_environment() {
	mkdir -p "$folder" && exec 9>"$folder/lock" && flock 9
	"$PYTHON" -c "import $modules" 2>"$ERR" && return
	{ python3 -m venv "$folder" && "$folder/bin/pip" install -q "$@"; } || return 111
}

# These never build anything; see scripts/temporal-server and scripts/kubernetes.
temporal_server() {
	XDG_CACHE_HOME=$test_cache AGENT_TEMPORAL_BUILD=no \
		"$TOP/scripts/temporal-server" "$@"
}
kubernetes() {
	XDG_CACHE_HOME=$test_cache AGENT_KUBERNETES_BUILD=no \
		"$TOP/scripts/kubernetes" "$@"
}
web_build() { XDG_CACHE_HOME=$test_cache "$TOP/scripts/web-build" "$@"; }

# engine: the store of a test that runs on every engine. With ENGINE=temporal in
# the environment it is a Temporal server of its own, at $TEMPORAL, else a folder.
# on lmdb && ... is for things that only one of them has. In $SERVER are
# options for scripts/temporal-server.
engine() {
	AGENT_STORE=$T/store
	export AGENT_STORE
	on temporal || return 0
	test_server=$T/temporal
	# shellcheck disable=SC2086 # a list of options
	obtain Temporal temporal_server start --folder "$test_server" --tuned ${SERVER-}
	TEMPORAL=$(cat "$OUT")
	AGENT_ENGINE=temporal://$TEMPORAL/default
	export AGENT_ENGINE
}
on() { [ "$ENGINE" = "$1" ]; }

# same_soon NAME WANTED COMMAND...: as same, with what COMMAND prints. A Temporal
# server's lists and numbers may be a second old, so there it is asked again.
same_soon() {
	name=$1 wanted=$2
	shift 2
	tries=1
	on lmdb || tries=250
	while got=$("$@" 2>"$ERR"); [ "$got" != "$wanted" ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || break
		sleep 0.04
	done
	same "$name" "$wanted" "$got"
}

# standin SCRIPT [OPTION...]: starts agent-standin on a free loopback port and points
# both APIs at it. Its ledger is $T/ledger, its address $URL.
standin() {
	rm -f "$T/standin.url"
	script=$1
	shift
	start agent-standin --script "$script" --listen 127.0.0.1:0 \
		--address-file "$T/standin.url" --ledger "$T/ledger" "$@" >"$T/standin.out" 2>"$T/standin.log"
	# shellcheck disable=SC2034 # for tests that end it themselves
	STANDIN=$STARTED
	await 10 test -s "$T/standin.url" || { cat "$T/standin.log" >&2; return 1; }
	URL=$(cat "$T/standin.url")
	ANTHROPIC_BASE_URL=$URL COMPOSIO_BASE_URL=$URL
	ANTHROPIC_API_KEY=test-anthropic-key COMPOSIO_API_KEY=test-composio-key
	AGENT_STORE=$T/store
	export ANTHROPIC_BASE_URL COMPOSIO_BASE_URL ANTHROPIC_API_KEY COMPOSIO_API_KEY AGENT_STORE
	[ -z "${AGENT_CONFIG-}" ] || return 0
	# calls in doubt are told at once, unless the test has other settings
	AGENT_CONFIG=$T/settle.yaml
	export AGENT_CONFIG
	echo 'time_limits: { settle: 0 }' >"$AGENT_CONFIG"
}
