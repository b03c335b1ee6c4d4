#!/bin/sh
# SPDX-License-Identifier: ISC
# What make TEMPORAL=no builds works on LMDB, and refuses a Temporal server.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need make
check "make TEMPORAL=no" make -s -j 2 -C "$TOP" TEMPORAL=no all
PATH=$BIN-lmdb:$PATH
# shellcheck source=tests/worker.sh
. "$TOP/tests/worker.sh"

same "its programs are tested" "$BIN-lmdb/agent-worker" "$(command -v agent-worker)"
check "it needs nothing of Temporal" sh -c \
	"! ldd '$BIN-lmdb/agent-worker' | grep -q protobuf && ! [ -e '$BIN-lmdb/engine_temporal.so' ]"
scene <<-END
	model:
	  - when: { turn: 1 }
	    reply: { calls: [ { tool: NOTES_WRITE, input: { text: one } } ] }
	  - reply: { text: Done. }
END
submit one
status 0 "a worker" work
same "the task is done" "completed Done." "$(get state) $(get result)"
same "its tool was executed once" 1 "$(executed NOTES_WRITE)"
sound
for program in worker status scale-probe; do
	status 100 "agent-$program on a Temporal server" \
		"agent-$program" --engine temporal://127.0.0.1:1/default
	says "agent-$program says what it lacks" \
		"^agent-$program: the Temporal engine cannot be loaded: .*built without it" "$ERR"
done
done_testing
