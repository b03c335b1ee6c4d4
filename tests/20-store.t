#!/bin/sh
# SPDX-License-Identifier: ISC
# The store in trouble: missing, not a store, read-only, newer, damaged, cut
# off, at its maximum, on a full disk. Each is a clear error with the right
# exit status, and nothing that was acknowledged is lost.
# shellcheck disable=SC2016 # scripts for in_mounts
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

TOOL=$BUILD/unit/store/store_tool
AGENT_STORE=$T/store
export AGENT_STORE

submit() { # submit GOAL: on standard output the answer
	printf '{"user":"ann","goal":"%s"}\n' "$1" | agent-submit --no-preflight
}

# ---- usage ----
status 100 "no command" agent-store
status 100 "an unknown command" agent-store compress
says "the commands are named" 'backup, check, export, prune' "$ERR"
status 100 "prune needs an age" agent-store prune
status 100 "an age needs a unit" agent-store prune --before 30
status 100 "an age needs a number" agent-store prune --before xd
status 100 "only prune takes an age" agent-store check --before 3d
status 100 "backup needs a folder" agent-store backup
status 100 "another engine" agent-store check --engine temporal

# ---- missing, or not a store ----
for command in check export "prune --before 0s" "backup $T/copy"; do
	# shellcheck disable=SC2086 # words
	status 100 "no store: $command" agent-store $command
	says "it says so: $command" '"type":"no_store"' "$OUT"
done
check "and none was made" test ! -e "$AGENT_STORE"
mkdir "$T/empty"
status 100 "an empty folder" agent-store check --store "$T/empty"
says "is no store" '"type":"no_store"' "$OUT"
check "and stays empty" rmdir "$T/empty"
echo text >"$T/file"
status 100 "a file" agent-store check --store "$T/file"
says "is not a store" '"type":"not_a_store"' "$OUT"
mkdir "$T/garbage"
head -c 100000 /dev/urandom >"$T/garbage/data.mdb"
cp "$T/garbage/data.mdb" "$T/garbage.before"
status 100 "garbage" agent-store check --store "$T/garbage"
says "is not a store" '"type":"not_a_store"' "$OUT"
echo '{"user":"ann","goal":"x"}' >"$T/task.json"
status 100 "nothing is submitted to garbage" agent-submit --no-preflight \
	--store "$T/garbage" -f "$T/task.json"
check "and the garbage is as it was" cmp "$T/garbage/data.mdb" \
	"$T/garbage.before"

# ---- the commands ----
check "a task" submit one
check "another" submit two
status 0 "check" agent-store check
same "it counted" '{"tasks":2,"events":2,"faults":0}' "$(cat "$OUT")"
status 0 "export" agent-store export
same "a line for each task" 2 "$(wc -l <"$OUT")"
says "with its events" '"events":\[\{"v":1,"seq":1,.*"type":"submitted"' "$OUT"
status 0 "backup" agent-store backup "$T/copy"
status 100 "not over a backup" agent-store backup "$T/copy"
says "it says so" '"type":"exists"' "$OUT"
status 0 "the copy is sound" agent-store check --store "$T/copy"
agent-store export >"$T/export.1"
agent-store export --store "$T/copy" >"$T/export.2"
check "the copy is the same" cmp "$T/export.1" "$T/export.2"
status 111 "a backup to where nothing can be" agent-store backup \
	"$T/none/copy"
id=$(sed -n '1s/.*"id":"\([^"]*\)".*/\1/p' "$T/export.1")
check "one is cancelled" agent-signal cancel "$id"
status 0 "prune nothing" agent-store prune --before 1h
same "it says so" '{"pruned":0}' "$(cat "$OUT")"
status 0 "prune" agent-store prune --before 0s
same "it says how many" '{"pruned":1}' "$(cat "$OUT")"
status 1 "the task is gone" agent-status "$id"
status 0 "the rest is sound" agent-store check

# ---- newer, damaged, cut off ----
agent-store backup "$T/newer" >/dev/null
"$TOOL" version "$T/newer" 99
status 100 "a newer store is refused" agent-store check --store "$T/newer"
says "both versions are told" 'has version 99 and this program knows version 3' \
	"$ERR"
status 100 "also by submit" agent-submit --no-preflight --store "$T/newer" \
	-f "$T/task.json"
agent-store backup "$T/damaged" >/dev/null
"$TOOL" damage "$T/damaged"
status 1 "damage is found" agent-store check --store "$T/damaged"
says "and told in words" \
	'"fault":"the task [0-9a-f-]* is queued and due, but is neither' "$OUT"
agent-store backup "$T/lost" >/dev/null
"$TOOL" lose "$T/lost"
id=$(sed -n '2s/.*"id":"\([^"]*\)".*/\1/p' "$T/export.1")
for program in "agent-store export" "agent-store backup $T/of-lost" \
	"agent-status --events $id"; do
	# shellcheck disable=SC2086 # a command and its options
	status 100 "an event is missing: $program" $program --store "$T/lost"
	says "and it says which" 'event 1 of the task [0-9a-f-]* is missing' "$ERR"
done
agent-store backup "$T/cut" >/dev/null
truncate -s 12288 "$T/cut/data.mdb"
status 100 "a file that was cut off" agent-store check --store "$T/cut"
says "is told" 'cut off|damaged' "$ERR"
for program in "agent-store export" "agent-store prune --before 1s" "agent-store backup $T/of-it" \
	agent-scale-probe agent-status "agent-submit --no-preflight -f $T/task.json" \
	"env ANTHROPIC_API_KEY=k ANTHROPIC_BASE_URL=http://127.0.0.1:9 agent-worker --exit-when-idle"; do
	# shellcheck disable=SC2086 # a command and its options
	status 100 "by $program too" $program --store "$T/cut"
	says "in words" 'cut off|damaged' "$ERR"
done

# ---- the configured maximum ----
printf 'limits:\n  store_bytes: 1000000\n' >"$T/agent.yaml"
agent-store backup "$T/small" >/dev/null
long=$(head -c 30000 /dev/zero | tr '\0' x)
AGENT_STORE=$T/small AGENT_CONFIG=$T/agent.yaml
export AGENT_CONFIG
count=0
while submit "$long" >"$OUT" 2>"$ERR"; do
	count=$((count + 1))
	[ $count -lt 100 ] || break
done
says "it says which" '"type":"store_full".*1000000 bytes' "$OUT"
check "the maximum is met, not before" test $count -gt 10 -a $count -lt 50
submit "$long" >"$OUT" 2>"$ERR"
same "not now" 111 $?
status 0 "the store is sound" agent-store check
same "all that was acknowledged is there" "$((count + 1))" \
	"$(agent-store export | wc -l)"
unset AGENT_CONFIG
for id in $(agent-store export | sed 's/.*"id":"\([^"]*\)","state".*/\1/'); do
	agent-signal cancel "$id" >/dev/null 2>&1
done
check "pruning makes room" agent-store prune --before 0s
AGENT_CONFIG=$T/agent.yaml
export AGENT_CONFIG
check "and it goes on" submit "$long"
unset AGENT_CONFIG
AGENT_STORE=$T/store

# ---- what takes root: mounts ----
if ! [ "$(id -u)" -eq 0 ] || ! unshare --mount true 2>/dev/null; then
	skip "read-only disk" "mounts: they take root"
	skip "full disk" "mounts: they take root"
	done_testing
	exit
fi

# in_mounts SCRIPT: in a mount namespace of its own
in_mounts() { unshare --mount --propagation private sh -euc "$1"; }

export T TOOL
status 0 "a read-only disk can be checked" in_mounts '
	mount --bind "$T/store" "$T/store"
	mount -o remount,ro,bind "$T/store"
	agent-store check'
status 0 "and listed" in_mounts '
	mount --bind "$T/store" "$T/store"
	mount -o remount,ro,bind "$T/store"
	agent-status --limit 1'
status 0 "also without a lock file" in_mounts '
	mkdir "$T/bare"
	cp "$T/store/data.mdb" "$T/bare"
	mount --bind "$T/bare" "$T/bare"
	mount -o remount,ro,bind "$T/bare"
	agent-store check --store "$T/bare"'
status 100 "but not written" in_mounts '
	mount --bind "$T/store" "$T/store"
	mount -o remount,ro,bind "$T/store"
	agent-submit --no-preflight -f "$T/task.json"'
says "it says why" '"type":"permission".*Read-only' "$OUT"
chmod 711 "$T"
status 100 "somebody else's store" setpriv --reuid=65534 --regid=65534 \
	--clear-groups agent-store check
says "it says why" '"type":"permission"' "$OUT"

mkdir "$T/disk"
status 0 "a full disk" in_mounts '
	mount -t tmpfs -o size=4m none "$T/disk"
	head -c 1000000 /dev/zero >"$T/disk/ballast"
	"$TOOL" fill "$T/disk/store" "$T/disk/ballast"'
says "is said to be full" '^[0-9]{2,} acknowledged, then: 111 disk_full' "$OUT"
says "and goes on when there is room" '^went on to [0-9]+' "$OUT"
status 0 "submit on a full disk" in_mounts '
	mount -t tmpfs -o size=4m none "$T/disk"
	export AGENT_STORE="$T/disk/store"
	code=0
	while [ $code -eq 0 ]; do
		agent-submit --no-preflight -f "$T/task.json" \
			>>"$T/acked" 2>"$T/disk.err" || code=$?
		[ -e "$T/disk/ballast" ] || head -c 3900000 /dev/zero \
			>"$T/disk/ballast" 2>/dev/null || true
	done
	cat "$T/disk.err" >&2
	[ $code -eq 111 ]
	[ "$(grep -c "\"id\"" "$T/acked")" -eq "$(agent-store export | wc -l)" ]
	agent-store check
	rm "$T/disk/ballast"
	agent-submit --no-preflight -f "$T/task.json"'
says "it says so" 'No space left on device' "$ERR"

done_testing
