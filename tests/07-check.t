#!/bin/sh
# SPDX-License-Identifier: ISC
# scripts/check: its order, its verdict and its last line, in a tree where make
# writes down what it is asked to do, and what is dear is a line of shell.
# shellcheck disable=SC2016 # the dollars are the fakes'
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

tree=$T/tree calls=$T/calls
export calls
mkdir -p "$tree/scripts" "$T/bin"
for name in check check-dear progress tap-count tap-skips; do
	cp "$TOP/scripts/$name" "$tree/scripts/"
done
fake() { # fake FILE LINE...
	file=$1
	shift
	printf '%s\n' '#!/bin/sh' "$@" >"$file"
	chmod +x "$file"
}
scripts() { # scripts NAME STATUS: what it ends with
	fake "$tree/scripts/$1" "echo \"$1 \$*\" >>\"\$calls\"" "echo \"$1: those words\" >&2" "exit $2"
}
# make passes two tests of each set, and skips one of what is not there
fake "$T/bin/make" 'echo "make $*" >>"$calls"' 'folder=' \
	'for word; do case $word in TAP_DIR=*) folder=${word#*=} ;; esac; done' \
	'case $* in *"${BROKEN:-nothing}"*) exit 2 ;; esac' '[ -n "$folder" ] || exit 0' \
	'case $folder in *" "*) echo "the real one splits $folder" >&2; exit 2 ;; esac' \
	'{ echo ok 1; echo ok 2; echo 1..2; } >"$folder/a.tap"; echo 0 >"$folder/a.code"' \
	'case $* in *" SETS=kubernetes "*) echo "1..0 # SKIP Kubernetes: none" >"$folder/b.tap"' \
	'echo 0 >"$folder/b.code" ;; esac'
fake "$T/bin/aarch64-linux-gnu-gcc"
all_well() {
	for name in install-deps fuzz web-build temporal-server kubernetes images; do
		scripts $name 0
	done
}
check_it() {
	: >"$calls"
	PATH=$T/bin:$PATH "$tree/scripts/check"
}
last() { tail -n "$1" "$OUT" | head -n 1; } # last N: the last line but N - 1

all_well
status 0 "all is well" check_it
same "the last line is the count" "16 passed, 0 failed, 1 skipped" "$(last 1)"
says "the verdict names what did not run" \
	'^check: everything that ran holds, after [0-9]+ seconds; not run: Kubernetes$' "$OUT"
says "it says how long it takes" 'about .* minutes .* the first time' "$OUT"
same "the build comes with the first packages, and the unit tests with the build" \
	'install-deps unit
make -s -j N DEVELOPER=1 all unit fault
make -s DEVELOPER=1 TAP_DIR=unit-tests SETS=unit check' \
	"$(grep -v '^web-build\|^install-deps test\|^temporal\|^kube\|^images\|^install-deps images' "$calls" |
		head -n 3 | sed "s,-j [0-9]*,-j N,; s,TAP_DIR=.*/,TAP_DIR=,")"

scripts kubernetes 111
status 0 "Kubernetes cannot be had" check_it
says "which is said, and why" '# SKIP Kubernetes: kubernetes: those words$' "$OUT"
same "and counted" "16 passed, 0 failed, 2 skipped" "$(last 1)"
scripts images 111
status 0 "nor images" check_it
says "the verdict names both, once" '; not run: Kubernetes, images$' "$OUT"

all_well
scripts kubernetes 1
status 1 "Kubernetes does not build" check_it
says "which is a failure" '^check: FAILED: Kubernetes; not run: Kubernetes$' "$OUT"
same "that counts" "16 passed, 1 failed, 1 skipped" "$(last 1)"

all_well
scripts web-build 1
status 1 "the page does not build" check_it
says "which is told at once" '^check: FAILED so far: web page$' "$OUT"
says "with its words" 'web-build: those words' "$OUT"

all_well
BROKEN='all unit fault'
export BROKEN
status 1 "it does not build" check_it
same "which ends it" "0 passed, 1 failed, 0 skipped" "$(last 1)"
says "and is said" '^check: FAILED: build$' "$OUT"
BROKEN=lint
status 1 "a linter finds something" check_it
says "and it goes on" '^check: FAILED: lint; not run: Kubernetes$' "$OUT"
same "to its end" "16 passed, 1 failed, 1 skipped" "$(last 1)"
unset BROKEN
scripts install-deps 111
status 1 "no packages" check_it
same "the last line is the count" "0 passed, 1 failed, 0 skipped" "$(last 1)"

# told to end, as Ctrl-C does it, it ends what is made beside it
all_well
fake "$tree/scripts/temporal-server" 'echo $$ >"$calls.pid"' 'exec sleep 300'
: >"$calls"
start env --default-signal=INT PATH="$T/bin:$PATH" setsid "$tree/scripts/check" >"$T/out" 2>&1
await 20 test -s "$calls.pid"
check "it waits" await 20 grep -q 'waiting for: Temporal' "$T/out"
kill -INT "-$STARTED"
wait "$STARTED"
same "it ends" 111 $?
check "and so does what was made" await 10 sh -c '! kill -0 "$(cat "$calls.pid")"'

# scripts/progress
progress() { "$TOP/scripts/progress" "$@"; }
status 3 "its status is the command's" progress it sh -c 'echo some; echo words >&2; exit 3'
same "and its words" 'some words' "$(paste -sd ' ' "$OUT")"
status 3 "kept back, they are told" progress -q it sh -c 'echo some words; exit 3'
same "when it fails" 'some words' "$(cat "$ERR")"
status 0 "or not" progress -q it echo words
same "when it does not" '' "$(cat "$OUT" "$ERR")"
echo "$(date +%s) something" >"$T/beside"
status 0 "what takes long" progress -b "$T/beside" it sleep 14
says "is told of within ten seconds" '^   \.\.\. it: [0-9]+ s \(beside it something: [0-9]+ s\)$' "$OUT"
done_testing
