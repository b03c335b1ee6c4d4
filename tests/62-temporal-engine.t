#!/bin/sh
# SPDX-License-Identifier: ISC
# The engine of a Temporal cluster: the suite of the other engine, the same
# answers for the same task, and schedules.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

ENGINE=temporal SERVER='--namespace waits'
engine
suite() { XDG_CACHE_HOME=$test_cache ENGINE=temporal sh "$TOP/tests/$1" | grep -v '^ok'; }
passed() { ! grep -q '^not ok\|SKIP' "$OUT" && grep -q '^1\.\.[1-9]' "$OUT"; }
for name in 20-submit.t 21-status.t 22-probe.t; do
	suite "$name" >"$OUT" 2>"$ERR"
	passed
	ok $? "$name on this engine"
done

# one task on each engine: it is shown in the same way
id_of() { sed -n 's/.*"\(id\|schedule\)":"\([^"]*\)".*/\2/p' "$1"; }
plain() { # removes what differs from one task to the next
	sed 's/"id":"[^"]*"/"id":""/; s/"\(created\|updated\)_at":"[^"]*"/"\1_at":""/g
		s/"\(input\|output\|cache_[a-z]*\)_tokens":[0-9]*/"\1_tokens":0/g
		s/"cost_usd":[0-9.]*/"cost_usd":0/' "$1"
}
work() { # work NAME: a task from its submission to its end
	standin "$TOP/scripts/examples/standin-triage.yaml" \
		--mailbox "$TOP/tests/data/mailbox.mbox" || exit 1
	agent-preflight -f "$TOP/scripts/examples/mail-triage.yaml" |
		agent-submit >"$T/$1.id"
	id=$(id_of "$T/$1.id")
	start agent-worker 2>"$T/$1.log"
	worker=$STARTED
	timeout 60 agent-status --follow "$id" >"$T/$1.events"
	agent-status "$id" >"$T/$1.task"
	kill -TERM "$worker" && wait "$worker"
	kill -TERM "$STANDIN" && wait "$STANDIN"
	sed 's/.*"type":"\([a-z.]*\)".*/\1/' "$T/$1.events" | sort >"$T/$1.types"
	plain "$T/$1.task" >"$T/$1.plain"
}
work temporal
server=$AGENT_ENGINE
AGENT_ENGINE=lmdb
work lmdb
AGENT_ENGINE=$server
says "a task is worked off" '"state":"completed".*"result":"Done' "$T/temporal.task"
same "and shown as on the other engine" "$(cat "$T/lmdb.plain")" "$(cat "$T/temporal.plain")"
same "with as many events of each kind" "$(cat "$T/lmdb.types")" "$(cat "$T/temporal.types")"
agent-status --events "$(id_of "$T/temporal.id")" >"$T/later"
check "its journal is the same to a follower and later" cmp "$T/later" "$T/temporal.events"
counted() { agent-scale-probe | sed 's/.*\("pending.*completed":[0-9]*\).*/\1/'; }
same_soon "the probe has counted it" \
	'"pending":0,"scheduled":0,"running":0,"waiting":0,"completed":1' counted
check "no credential is in its history" sh -c \
	"! grep -q 'test-anthropic-key\|test-composio-key' '$T/later'"

# a task over the server's limit is refused, and the others of its batch are not
{
	echo '{"user":"ann","goal":"small"}'
	printf '{"user":"ann","goal":"g","preflight":{"accounts":{},"pins":{"request":{"s":"'
	head -c 3000000 /dev/zero | tr '\0' x
	echo '"},"tools":[]}}}'
	echo '{"user":"ann","goal":"small too"}'
} >"$T/sizes"
status 100 "a task over the limit" agent-submit --no-preflight -f "$T/sizes"
same "is refused alone" "id error id" \
	"$(sed 's/^{"\([a-z]*\)".*/\1/' "$OUT" | tr '\n' ' ' | sed 's/ $//')"
says "and is told why" '"type":"too_large"' "$OUT"

# who waits for a task asks for what tells its version, not for its history
AGENT_TOKENS_FILE=$T/tokens AGENT_GATEWAY_FOLDER=$T/gateway
export AGENT_TOKENS_FILE AGENT_GATEWAY_FOLDER
mkdir "$T/gateway"
token=$(agent-token new ann | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
read_task() { # read_task QUERY [HEADER=VALUE]: the answer, with its headers
	env REQUEST_METHOD=GET SCRIPT_NAME=/v1/tasks PATH_INFO="/$id" QUERY_STRING="$1" \
		HTTP_AUTHORIZATION="Bearer $token" "${2-X=}" agent-status --cgi | tr -d '\r'
}
asked() { # asked METHOD: how often the server was, in the namespace of this task
	curl -sf "http://127.0.0.1:$((${TEMPORAL##*:} + 2))/metrics" |
		awk -v name="operation=\"$1\"" '/^service_requests/ && /service_name="frontend"/ &&
			/namespace="waits"/ && index($0, name) { n += $NF } END { print n + 0 }'
}
probed() { [ "$(asked DescribeWorkflowExecution)" -ge 6 ]; } # it is counted a second later
AGENT_ENGINE=temporal://$TEMPORAL/waits
echo '{"user":"ann","goal":"later"}' | agent-submit --no-preflight >"$OUT"
id=$(id_of "$OUT")
etag=$(read_task "" | sed -n 's/^[Ee][Tt]ag: //p')
read_task wait=6 "HTTP_IF_NONE_MATCH=$etag" >"$OUT"
says "a wait for a task that does not change ends" '^Status: 304' "$OUT"
await 10 probed
ok $? "the task was probed $(asked DescribeWorkflowExecution) times"
[ "$(asked GetWorkflowExecutionHistory)" -le 5 ]
ok $? "and its history read $(asked GetWorkflowExecutionHistory) times"
AGENT_ENGINE=$server

# schedules
daily='{"user":"ann","goal":"daily","queue":"daily"}'
echo "$daily" >"$T/daily"
schedule() { agent-submit --no-preflight --key d --schedule "$@" -f "$T/daily"; }
check "a schedule" schedule '0 9 * * 1-5'
same "is answered with its id" '{"schedule":"ID","existing":false}' \
	"$(sed 's/"schedule":"[0-9a-f-]*"/"schedule":"ID"/' "$OUT")"
id=$(id_of "$OUT")
check "the same again" schedule '0 9 * * 1-5'
same "is the same" "{\"schedule\":\"$id\",\"existing\":true}" "$(cat "$OUT")"
status 1 "at other times it is refused" schedule '0 10 * * 1-5'
status 100 "a time that is none is refused" schedule 'tomorrow'
schedules() { agent-status --schedules | sed 's/.*\("schedule":"[^"]*"\).*\("cron":"[^"]*"\).*\("paused":[a-z]*\).*/\1 \2 \3/'; }
same_soon "it is listed" "\"schedule\":\"$id\" \"cron\":\"0 9 * * 1-5\" \"paused\":false" schedules
check "pause it" agent-signal --schedule pause "$id"
same_soon "it is paused" "\"schedule\":\"$id\" \"cron\":\"0 9 * * 1-5\" \"paused\":true" schedules
check "begin one now" agent-signal --schedule trigger "$id"
begun() { agent-status --queue daily | sed 's/.*"state":"\([a-z]*\)".*"title":"\([a-z]*\)".*/\1 \2/'; }
same_soon "a task of it is there" "queued daily" begun
check "resume it" agent-signal --schedule resume "$id"
check "delete it" agent-signal --schedule delete "$id"
same_soon "none is listed" "" schedules
status 1 "delete it again" agent-signal --schedule delete "$id"
status 100 "a signal of tasks is none of schedules" agent-signal --schedule cancel "$id"
AGENT_ENGINE=lmdb
status 100 "the other engine has no schedules" schedule '0 9 * * 1-5'
says "and says what has" '"type":"no_schedules".*Temporal' "$OUT"
done_testing
