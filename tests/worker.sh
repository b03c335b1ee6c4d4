# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034 # what is set is for the tests
# Sourced after lib.sh by the tests of agent-worker: one scene after the other,
# each with a stand-in, a store and a ledger of its own.
#
#	scene <<-END ... END    the script, after tests/data/standin/notes.yaml
#	submit GOAL [LINE...]   puts a task of ana into the queue; its id is $ID
#	worker [OPTION...]      starts one; its pid is $WORKER, all log to $LOG
#	work [OPTION...]        runs one until nothing is ready
#
# They run on both engines (ENGINE=temporal). There a scene has a namespace of its
# own instead of a folder. Where the journal of a task has other events there, the
# test asks "on temporal" and says why; agent-temporal(7) lists the differences.

need jq
DATA=$TOP/tests/data
NOTES=$DATA/standin/notes.yaml
scenes=0 STANDIN=
if on temporal; then
	# Priorities are kept by default from 1.31 on, before with this setting.
	SERVER="--set matching.useNewMatcher=true $(seq -f '--namespace scene%g' 80 | paste -sd ' ') ${SERVER-}"
	engine
fi

restart() { # restart SCRIPT [OPTION OF agent-standin...]: the store stays
	if [ -n "$STANDIN" ]; then
		kill -TERM "$STANDIN"
		wait "$STANDIN"
	fi
	standin "$@" >"$T/standin.out" ||
		{ echo "Bail out! no stand-in"; exit 1; }
	AGENT_STORE=$T/store.$scenes
	on lmdb || AGENT_ENGINE=temporal://$TEMPORAL/scene$scenes
	LOG=$T/log.$scenes
}

scene() { # scene [OPTION OF agent-standin...] <SCRIPT
	scenes=$((scenes + 1))
	cat "$NOTES" - >"$T/script.$scenes"
	: >"$T/ledger"
	restart "$T/script.$scenes" "$@"
	: >"$LOG"
	settings </dev/null
}

# Calls in doubt are told at once, unless the test has time limits of its own.
settings() { # settings <YAML: for all programs, until the next scene
	AGENT_CONFIG=$T/agent.$scenes.yaml
	export AGENT_CONFIG
	cat >"$AGENT_CONFIG"
	grep -q '^time_limits:' "$AGENT_CONFIG" ||
		echo 'time_limits: { settle: 0 }' >>"$AGENT_CONFIG"
}

submit() { # submit GOAL [LINE...]
	goal=$1
	shift
	{
		echo "goal: $goal"
		case " $*" in *" user: "*) ;; *) echo "user: ana" ;; esac
		case " $*" in *" toolkits: "*) ;; *) echo "toolkits: [notes]" ;; esac
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$T/task"
	if ! agent-preflight -f "$T/task" >"$T/passed" 2>"$ERR" ||
		! agent-submit <"$T/passed" >"$T/submitted" 2>"$ERR"; then
		sed 's/^/# /' "$T/passed" "$ERR"
		echo "Bail out! not submitted"
		exit 1
	fi
	ID=$(jq -r .id "$T/submitted")
}

worker() {
	start agent-worker "$@" 2>>"$LOG"
	WORKER=$STARTED
}

work() {
	timeout 100 agent-worker --exit-when-idle "$@" 2>>"$LOG"
}

end() { # end SIGNAL PID: its exit status
	kill "-$1" "$2"
	wait "$2" 2>/dev/null
}

get() { # get MEMBER [ID]: of the task
	agent-status "${2-$ID}" | jq -r ".$1 // \"\""
}

is() { # is STATE [ID]
	[ "$(get state "${2-$ID}")" = "$1" ]
}

events() { # events FILTER [ID]: of jq, on the array of the events
	agent-status --events "${2-$ID}" | jq -rs "$1"
}

count() { # count TYPE [ID]: how many events of that type
	events "map(select(.type == \"$1\")) | length" "${2-$ID}"
}

executed() { # executed TOOL: how often
	jq -s --arg tool "$1" 'map(select(.tool == $tool)) | length' "$T/ledger"
}

executes() { # executes TOOL N
	[ "$(executed "$1")" -ge "$2" ]
}

repeated() { # calls that change something and were executed more than once
	jq -s 'map(select((.read_only | not) and .times > 1)) | length' "$T/ledger"
}

logged() { # logged EVENT [N]: lines of the workers' log
	[ "$(grep -c "\"event\":\"$1\"" "$LOG")" -ge "${2-1}" ]
}

folds() { # every task can be read
	agent-status --limit 100 | jq -r .id >"$T/folds"
	while read -r id; do
		agent-status --events "$id" >"$T/folds.events" || return 1
	done <"$T/folds"
}

sound() { # the store of the scene, or the tasks on a server, are intact
	if on lmdb; then
		status 0 "${1-the store is sound}" agent-store check
	else
		status 0 "${1-every journal is sound}" folds
	fi
}
