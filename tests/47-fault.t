#!/bin/sh
# SPDX-License-Identifier: ISC
# A worker dies, or a call of it fails, at the N-th fdatasync, pwrite, send and so
# on, for rising N until a run gets through. After each another worker completes
# the task, nothing is done twice, and the store is intact. The same for
# agent-submit, which makes the store. LONG=1 takes every N.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/triage.sh
. "$TOP/tests/triage.sh"

FAULT=$BUILD/fault/fault.so
PRELOAD=$FAULT
ldd "$BIN/agent-worker" | grep -q libasan &&
	PRELOAD="$(cc -print-file-name=libasan.so) $FAULT"

# faulty CALL HOW N PROGRAM...: its exit status is $CODE, its output in $T/said
faulty() {
	rm -f "$T/hit"
	call=$1 how=$2 number=$3
	shift 3
	case $how in
	*+) onward='FAULT_ONWARD=1' ;; # all later ones fail too
	*) onward='FAULT_NONE=1' ;;
	esac
	env "$onward" FAULT_CALL="$call" FAULT_HOW="${how%+}" FAULT_AT="$number" \
		FAULT_FILE="$T/hit" LD_PRELOAD="$PRELOAD" \
		timeout 60 "$@" >"$T/said" 2>&1
	CODE=$?
}
hit() { [ -e "$T/hit" ]; }
wrong() { # wrong SENTENCE: about this run
	echo "# $program, $call $number, $how: $*"
	tail -n 3 "$T/said" | cut -c 1-400 | sed 's/^/#   /'
	bad=$((bad + 1))
}

# How a program may end after a fault. A fault that does not concern the store
# need not make it end.
right_end() {
	case $how:$CODE in
	kill:137 | after:137) ;;
	kill:* | after:*) wrong "exit status $CODE after SIGKILL" ;;
	*:111)
		grep -q 'unable to .*\(No space left on device\|Input/output error\)' "$T/said" ||
			wrong "does not say what failed, on what and why"
		;;
	*:0)
		case $call in
		fdatasync | writev) wrong "carried on after it could not write" ;;
		esac
		;;
	*) wrong "exit status $CODE" ;;
	esac
}

run_worker() { # run_worker CALL HOW N
	tasks=$((tasks + 1))
	on temporal || rm -rf "$T/store"
	sed "s/\"user\":\"one\"/\"user\":\"f$tasks\"/" "$T/task" | agent-submit >"$T/submitted"
	ID=$(ids "$T/submitted")
	faulty "$@" agent-worker --exit-when-idle
	if hit; then
		right_end
	elif [ "$CODE" -ne 0 ]; then
		wrong "exit status $CODE without a fault"
	fi
	timeout 60 agent-worker --exit-when-idle >"$T/said" 2>&1 ||
		wrong "the next worker ends with $?"
	is_state "$ID" completed || wrong "the task is $(state_of "$ID")"
	on temporal || agent-store check >"$T/said" 2>&1 || wrong "the store is not sound"
}

run_submit() { # run_submit CALL HOW N
	rm -rf "$T/store"
	faulty "$@" agent-submit -f "$T/task"
	grep -v '"error"' "$T/said" >"$T/given"
	ids "$T/given" >"$T/acknowledged"
	if hit; then
		right_end
	elif [ "$CODE" -ne 0 ]; then
		wrong "exit status $CODE without a fault"
	fi
	agent-submit -f "$T/task" >"$T/submitted" 2>"$T/said" ||
		wrong "the next submit ends with $?"
	ID=$(ids "$T/submitted")
	[ ! -s "$T/acknowledged" ] || [ "$ID" = "$(cat "$T/acknowledged")" ] ||
		wrong "what was acknowledged is lost"
	is_state "$ID" queued || wrong "the task is $(state_of "$ID")"
	on temporal || agent-store check >"$T/said" 2>&1 || wrong "the store is not sound"
}

# rising PROGRAM CALL STEP HOW...
rising() {
	program=$1 rising_call=$2 step=$3
	shift 3
	[ -z "${LONG-}" ] || on temporal || step=1
	for rising_how; do
		bad=0 rising_n=1 hits=0
		while
			"run_$program" "$rising_call" "$rising_how" "$rising_n"
			hit
		do
			hits=$((hits + 1))
			rising_n=$((rising_n + step))
		done
		[ $bad -eq 0 ]
		ok $? "$program, $rising_call, $rising_how: $hits runs up to call $rising_n"
		[ $hits -gt 0 ] || ok 1 "$program never came to $rising_call"
	done
}

triage_standin 0 0 || exit 1
tasks=0
checked one >"$T/task" || exit 1

# scripts/bench counts commits with a library whose variable is the last of the
# environment: its constructor finds it there.
counted() { # counted PROGRAM...
	rm -rf "$T/count" "$T/store"
	env LD_PRELOAD="${PRELOAD%"$FAULT"}${FAULT%/*}/count_syncs.so" \
		COUNT_FILE="$T/count" "$@"
	[ -n "$(tr -d '\0' <"$T/count")" ]
}
if on lmdb; then
	check "a library finds its variable in agent-submit" counted agent-submit -f "$T/task"
	check "and in agent-worker" counted agent-worker --exit-when-idle
fi
rm -f "$OUT" "$ERR" # which ok would show: wrong has printed all
if on temporal; then # the server has the store here
	rising submit send 1 kill eio
	rising submit recv 4 kill eio
	rising worker send 60 kill after eio
	rising worker recv 120 kill after eio
	done_once "after all of it" $((tasks + 1)) # and the one of the submits
	done_testing
	exit
fi
rising submit fdatasync 1 kill after enospc eio
rising submit fsync 1 kill eio
rising submit pwrite 2 kill after enospc+ eio
rising submit writev 1 kill enospc
rising worker fdatasync 3 kill after enospc+ eio
rising worker pwrite 7 kill after enospc+ eio
rising worker writev 3 kill after enospc eio
rising worker send 2 kill after eio
rising worker recv 5 kill after eio
rising worker unlink 1 kill after eio
done_once "after all of it" $tasks
done_testing
