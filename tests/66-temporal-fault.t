#!/bin/sh
# SPDX-License-Identifier: ISC
# A history that the server does not give: the worker lets the workflow task be,
# and the task goes on when the server gives it out again.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
ENGINE=temporal XDG_RUNTIME_DIR=$T
export XDG_RUNTIME_DIR
# pages of one batch of events: each history has several
SERVER="--set limit.historyMaxPageSize=1 --set frontend.historyMaxPageSize=1"
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"
PRELOAD=$BUILD/fault/grpc_fault.so
ldd "$BIN/agent-worker" | grep -q libasan &&
	PRELOAD="$(cc -print-file-name=libasan.so) $PRELOAD"
plan 8

faulty() { # faulty METHOD: a worker whose calls of it fail while $T/fault is there
	: >"$T/fault"
	FAULT_METHOD=$1 FAULT_WHILE=$T/fault LD_PRELOAD=$PRELOAD
	export FAULT_METHOD FAULT_WHILE LD_PRELOAD
	worker
	unset FAULT_METHOD FAULT_WHILE LD_PRELOAD
}

scene <<'END'
model:
  - reply: { text: Done. }
END
for method in GetWorkflowExecutionHistory GetWorkflowExecutionHistoryReverse; do
	faulty "$method"
	submit "what is there"
	await 30 logged history
	ok $? "$method: a page that is not read is logged"
	check "and the worker lives" kill -0 "$WORKER"
	rm "$T/fault"
	timeout 60 agent-status --follow "$ID" >"$T/followed"
	same "the task goes on" "completed" "$(get state)"
	end TERM "$WORKER"
	same "and the worker ends as it should" 0 $?
	: >"$LOG"
done
