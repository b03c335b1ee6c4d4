#!/bin/sh
# SPDX-License-Identifier: ISC
# SIGKILL at random instants: many workers, all of them process 1 of their own
# pid namespace as in containers that share a volume, submit, lease, finish and
# recover tasks in one store whose map grows from 1 MB meanwhile. All that was
# acknowledged is there, and all tables agree. And a holder of the lock
# that is stopped is named.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

TOOL=$BUILD/unit/store/store_tool
AGENT_STORE=$T/store
export AGENT_STORE
SECONDS_OF_KILLS=${LONG:+10}
SECONDS_OF_KILLS=${SECONDS_OF_KILLS:-5}

# The time until the error is that of the lock: it runs beside the rest.
printf '{"user":"ann","goal":"x"}' >"$T/task.json"
agent-submit --no-preflight --store "$T/held" -f "$T/task.json" >/dev/null
start "$TOOL" hold "$T/held"
holder=$STARTED
stopped() { grep -q '^State:.T' "/proc/$holder/status"; }
check "a process holds the lock and is stopped" await 10 stopped
(
	agent-submit --no-preflight --store "$T/held" -f "$T/task.json" \
		>"$T/held.out" 2>"$T/held.err"
	echo $? >"$T/held.status"
) &
waiter=$!

if [ "$(id -u)" -eq 0 ] && unshare --pid --fork true 2>/dev/null; then
	status 0 "workers are killed and nothing is lost" \
		"$TOOL" hammer "$AGENT_STORE" "$SECONDS_OF_KILLS" 8
	sed 's/^/# /' "$OUT"
	says "that many that it means something" \
		'^[0-9]{2,} killed, [0-9]{3,} events acknowledged, 0 lost' "$OUT"
	status 0 "the store is sound, every journal too" agent-store check
	says "without a fault" '"faults":0' "$OUT"
	status 0 "a backup of it" agent-store backup "$T/copy"
	status 0 "is sound" agent-store check --store "$T/copy"
	agent-store export | sort >"$T/export.1"
	agent-store export --store "$T/copy" | sort >"$T/export.2"
	check "and the same" cmp "$T/export.1" "$T/export.2"
else
	skip "killed workers" "pid namespaces: they take root"
fi

wait $waiter
same "the waiting one gave up: not now" 111 "$(cat "$T/held.status")"
says "and names the stopped one" \
	"process $holder \\(store_tool\\) holds it and is stopped.*kill -CONT $holder" \
	"$T/held.err"
kill -CONT "$holder"
wait "$holder"
check "when it is gone, all is well" agent-store check --store "$T/held"

done_testing
