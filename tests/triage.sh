# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034 # ID, WORKER, STATUS are for the tests
# Sourced after lib.sh by the tests that let workers go through a mailbox while
# they are killed, stopped or starved. The mailbox is the small one: each task
# makes two drafts and one ticket, and every task has a user of its own, so that
# a draft that is made twice, or is missing, shows in the ledger.

# With ENGINE=temporal a store is a namespace of a server.

DRAFTS=2 TICKETS=1
stores=1
if on temporal; then
	SERVER="--set matching.useNewMatcher=true $(seq -f '--namespace store%g' 9 | paste -sd ' ')"
	engine
	AGENT_ENGINE=temporal://$TEMPORAL/store1
fi

new_store() {
	stores=$((stores + 1))
	rm -rf "$T/store"
	on lmdb || AGENT_ENGINE=temporal://$TEMPORAL/store$stores
}

# triage_standin MESSAGES TOOLS [OPTION...]: the stand-in with these latencies in
# milliseconds; every user is connected.
triage_standin() {
	{
		printf 'accounts:\n  - { user: "*", toolkit: gmail }\n'
		printf '  - { user: "*", toolkit: linear }\n'
		sed "/^accounts:/,/^teams:/{/^teams:/!d}
			s/^  messages: .*/  messages: $1/
			s/^  tools: .*/  tools: $2/" "$TOP/scripts/examples/standin-triage.yaml"
	} >"$T/script.yaml"
	shift 2
	standin "$T/script.yaml" --mailbox "$TOP/tests/data/mailbox-small.mbox" "$@"
}

# checked USER: a task of this user that has passed agent-preflight, on stdout
checked() {
	{
		sed "s/^user: .*/user: $1/" "$TOP/scripts/examples/mail-triage.yaml"
		echo "key: task-of-$1"
	} | agent-preflight
}

# submit USER...: their tasks; the last one's id is $ID
submit() {
	for user; do
		checked "$user" >"$T/checked" && agent-submit -f "$T/checked" >"$T/submitted" || return 1
		ID=$(ids "$T/submitted")
	done
}
ids() { sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$1"; }

# worker LOG [OPTION...]: an agent-worker in the background; its pid is $WORKER
worker() {
	worker_log=$1
	shift
	# shellcheck disable=SC2086 # WRAP is a command and its options, or nothing
	start ${WRAP-} agent-worker "$@" 2>>"$worker_log"
	WORKER=$STARTED
}

# ended PID: waits for it and forgets it, for another process may get its
# number; $STATUS is its exit status
ended() {
	wait "$1" 2>/dev/null
	STATUS=$?
	left=''
	for pid in $test_pids; do
		[ "$pid" = "$1" ] || left="$left $pid"
	done
	test_pids=$left
}
# killed PID [SIGNAL]: sends it SIGKILL and waits
killed() {
	kill -"${2:-KILL}" "$1" 2>/dev/null
	ended "$1"
}

state_of() { agent-status "$1" | sed -n 's/^{"id":"[^"]*","state":"\([a-z]*\)".*/\1/p'; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }
count_state() { agent-status --state "$1" --limit 1000 | wc -l; }
counted() { [ "$(count_state "$1")" -eq "$2" ]; }
# has ID PATTERN: an event of the task fits the basic regular expression
has() { agent-status --events "$1" | grep -q -e "$2"; }
number() { agent-status --events "$1" | grep -c -e "$2"; }

folds() {
	agent-status --limit 1000 >"$T/folds"
	ids "$T/folds" >"$T/folds.ids"
	[ -s "$T/folds.ids" ] || return 1
	while read -r id; do
		agent-status --events "$id" >"$T/folds.events" || return 1
	done <"$T/folds.ids"
}

# sound NAME: no table of the store contradicts another, no journal is broken
sound() {
	if on temporal; then # only the journals: the rest is the server's
		check "$1: every journal is sound" folds
		return
	fi
	check "$1: the store is sound" agent-store check
	says "$1: and nothing is wrong in it" '"faults":0' "$OUT"
}

# done_once NAME TASKS: the ledger must have for TASKS tasks all that each
# of them makes, and nothing twice
done_once() {
	agent-standin --summary "$T/ledger" >"$T/summary"
	same "$1: every draft and ticket once, none missing" \
		"GMAIL_CREATE_EMAIL_DRAFT $((DRAFTS * $2)) 0, LINEAR_CREATE_LINEAR_ISSUE $((TICKETS * $2)) 0" \
		"$(sed -n '/"read_only":true/d
			s/^{"tool":"\([^"]*\)","calls":\([0-9]*\),.*"repeated":\([0-9]*\).*/\1 \2 \3/p' \
			"$T/summary" | sort | paste -sd , | sed 's/,/, /g')"
}
