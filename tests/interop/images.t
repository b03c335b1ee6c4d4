#!/bin/sh
# SPDX-License-Identifier: ISC
# The images in containers, as a careful cluster starts them: what is in them,
# what a process in them may do, how they end, and that a task completes in
# them in spite of killed containers. The images are built beforehand by
# scripts/images build; SEED=n repeats a choice of instants.
# shellcheck disable=SC2034 # some are named by eval
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
# shellcheck source=tests/lib.sh
. "$ROOT/tests/lib.sh"
TOP=$ROOT
# shellcheck source=tests/containers.sh
. "$TOP/tests/containers.sh"
# shellcheck source=tests/triage.sh
. "$TOP/tests/triage.sh"
need_containers
for name in worker gateway standin; do
	image $name
done

drafts_take() { # drafts_take MILLISECONDS: from now on
	if [ -n "${STANDIN-}" ]; then
		kill -TERM "$STANDIN"
		ended "$STANDIN"
	fi
	triage_standin 60 "{ GMAIL_CREATE_EMAIL_DRAFT: $1, '*': 10 }" --state "$T/state" || exit 1
	: >"$T/variables"
	variable "ANTHROPIC_BASE_URL=$URL"
	variable "COMPOSIO_BASE_URL=$URL"
	variable ANTHROPIC_API_KEY_FILE=/run/secrets/agent/anthropic
	variable COMPOSIO_API_KEY_FILE=/run/secrets/agent/composio
	variable AGENT_CONFIG=/etc/agent.yaml
}
# no call takes effect later than that
echo 'time_limits: { settle: 2 }' >"$T/agent.yaml"
volume "$T/agent.yaml" /etc/agent.yaml ro
# queue USER...: a task of each, by the programs in a container; the last is $ID
queue() {
	for user; do
		checked "$user" >"$T/checked" || return 1
		container "submit-$user" worker agent-submit <"$T/checked" >"$T/submitted" || return 1
		ID=$(ids "$T/submitted")
	done
}
worker_container() { # worker_container NAME: in the background; its runc is $WORKER
	start_container "$1" worker - --concurrency 4 2>>"$T/$1.log"
	WORKER=$STARTED
}
# begun NAME: its worker heeds signals; before, process 1 is runc's own, and then one
# for which the kernel drops them
begun() { grep -qs '"event":"ready"' "$T/$1.log"; }
process_of() { runc state "$1" | jq -r .pid; }
facts_of() { # the process's identity, as the kernel of the host sees it
	sed -n 's/^\(Uid\|Gid\|CapPrm\|CapEff\|CapBnd\|NoNewPrivs\|Seccomp\):\t\(.*\)/\1 \2/p' \
		"/proc/$1/status" | tr '\t' ' ' | paste -sd ,
}
drafting() { [ "$(number "$ID" '"type":"tool.started".*"tool":"GMAIL_CREATE_EMAIL_DRAFT"')" -ge "$DRAFTS" ]; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# ---- what is in them ----
unpacked() { du -sk --apparent-size "$T/images/$1/rootfs" | cut -f 1; }
for name in worker gateway; do
	tar -C "$T/images/$name/rootfs" -cf - . | gzip -1 | wc -c >"$T/$name.packed"
	echo "# agent-$name: $(unpacked $name) KiB, packed $(($(cat "$T/$name.packed") / 1024)) KiB"
done
check "the worker is below 15 MB" test "$(unpacked worker)" -lt 14648
check "the gateway is below 60 MB" test "$(unpacked gateway)" -lt 58593
same "the worker has its programs and no other, no shell among them" '' \
	"$(find "$T/images/worker/rootfs/usr/bin" "$T/images/worker/rootfs/usr/sbin" \
		! -type d ! -name 'agent-*'; find "$T/images/worker/rootfs" -perm /111 -type f \
		! -name 'agent-*' ! -name '*.so*')"
for kind in worker gateway standin; do
	rootfs=$T/images/$kind/rootfs
	same "$kind: nothing can be written but /tmp and the store" '/tmp
/var/lib/agent-utils' "$(cd "$rootfs" && find . ! -type l \( ! -user 0 -o ! -group 0 -o -perm /022 \) |
		sed 's/^\.//' | sort)"
	same "$kind: nothing changes who one is" '' "$(find "$rootfs" -type f -perm /6000)"
	check "$kind: certificates" openssl x509 -noout -in "$rootfs/etc/ssl/certs/ca-certificates.crt"
	same "$kind: no key, no host's own certificate" '' \
		"$(grep -rl 'PRIVATE KEY-----' "$rootfs/etc" "$rootfs/usr/share")"
	check "$kind: every package has its licence" sh -c "
		for package in \$(ls '$rootfs/var/lib/dpkg/status.d'); do
			test -s '$rootfs/usr/share/doc/'\$package/copyright || exit 1
		done"
	same "$kind: every library is of a package of the bill of materials" '' \
		"$(jq -r '.packages[].name' "$rootfs/usr/share/agent-utils/sbom.spdx.json" | sort >"$T/bill"
		{ ls "$rootfs/var/lib/dpkg/status.d"; echo libcurl4; } | sort |
			comm -13 "$T/bill" - | grep -v "$(test -e "$rootfs/usr/lib/libcurl.so.4" || echo libcurl4)")"
	check "$kind: labels" jq -e '.config.Labels | .["org.opencontainers.image.version"] and
		.["org.opencontainers.image.title"] and .["org.opencontainers.image.licenses"] and
		.["org.opencontainers.image.revision"]' "$T/images/$kind/config.json"
	same "$kind: its user" 65532:65532 "$(jq -r .config.User "$T/images/$kind/config.json")"
done

# ---- without a network ----
mkdir "$T/store" "$T/secrets"
chown 65532:65532 "$T/store" "$T/secrets"
(umask 077 && echo test-anthropic-key >"$T/secrets/anthropic" &&
	echo test-composio-key >"$T/secrets/composio")
chown 65532:65532 "$T/secrets"/*
volume "$T/store" /var/lib/agent-utils
volume "$T/secrets" /run/secrets/agent ro
drafts_take 0
check "a task is queued" queue offline
for program in "agent-scale-probe" "agent-status $ID" "agent-store check" \
	"agent-signal --by ana --message no cancel $ID"; do
	# shellcheck disable=SC2086 # a command and its words
	check "without a network: ${program%% *}" container offline worker $program
done
status 0 "a worker that finds nothing ends" container offline worker - --exit-when-idle

# ---- a worker is process 1, and drains ----
network host
drafts_take 700
check "a task is queued" queue drained
drained=$ID
worker_container first
check "a worker makes calls" await 20 drafting
pid=$(process_of first)
same "it is nobody, and may nothing" \
	"Uid 65532 65532 65532 65532,Gid 65532 65532 65532 65532,CapPrm 0000000000000000,CapEff 0000000000000000,CapBnd 0000000000000000,NoNewPrivs 1,Seccomp 2" \
	"$(facts_of "$pid")"
same "it is process 1" 1 "$(awk '/^NSpid:/ { print $NF }' "/proc/$pid/status")"
says "its root is read-only" ' / / ro[, ]| / ro[, ]' "/proc/$pid/mountinfo"
check "its keys are in no environment" sh -c "! grep -q test-anthropic-key /proc/$pid/environ"
kill -TERM "$WORKER" # runc passes it on
ended "$WORKER"
same "SIGTERM drains it" 0 "$STATUS"
says "its last event: given back" '"type":"released".*"drained"' \
	"$(agent-status --events "$drained" | tail -n 1 >"$T/last"; echo "$T/last")"
worker_container second
check "another container carries on" await 30 is_state "$drained" completed
same "no call was in doubt" 0 "$(number "$drained" '"type":"tool.unknown"')"
runc kill second KILL
ended "$WORKER"

mkfifo -m 666 "$T/endless"
volume "$T/endless" /etc/task.yaml
start_container stuck worker agent-submit -f /etc/task.yaml
stuck=$STARTED
exec 7>"$T/endless" # waits until it reads
kill -TERM "$stuck"
ended "$stuck"
exec 7>&-
same "SIGTERM ends it" 143 "$STATUS"

# ---- one store, several containers, killed at random ----
SEED=${SEED:-$(($(date +%s) % 100000 + $$))} KILLS=12 TASKS=8
echo "# $KILLS kills, SEED=$SEED"
drafts_take 40
i=0
while [ $i -lt $TASKS ]; do
	i=$((i + 1))
	queue "u$i" || exit 1
done
for name in a b; do
	worker_container "$name-0"
	eval "runc_$name=\$WORKER generation_$name=0"
done
awk -v seed="$SEED" -v kills="$KILLS" 'BEGIN {
	srand(seed)
	for (i = 1; i <= kills; i++)
		printf "%s %.3f\n", rand() < 0.5 ? "a" : "b", 0.1 + rand() * 0.5
}' >"$T/plan"
: >"$T/self"
while read -r name delay; do
	generation=''
	eval "pid=\$runc_$name generation=\$generation_$name"
	await 20 begun "$name-$generation" || echo "$name-$generation does not begin" >>"$T/self"
	sleep "$delay"
	runc kill "$name-$generation" KILL 2>/dev/null
	ended "$pid"
	[ "$STATUS" -eq 137 ] || echo "$name-$generation: $STATUS" >>"$T/self"
	worker_container "$name-$((generation + 1))"
	eval "runc_$name=\$WORKER generation_$name=$((generation + 1))"
done <"$T/plan"
same "no worker ended by itself" '' "$(cat "$T/self")"
check "all complete" await 60 counted completed $((TASKS + 1))
for name in a b; do
	eval "pid=\$runc_$name generation=\$generation_$name"
	await 20 begun "$name-$generation"
	kill -TERM "$pid"
	ended "$pid"
	same "a worker drains" 0 "$STATUS"
done
done_once "after the kills" $((TASKS + 1))
status 0 "a container finds the store sound" container check worker agent-store check
says "and nothing is wrong in it" '"faults":0' "$OUT"

# ---- nothing but containers ----
# The stand-in's own network has only a loopback; the others join it, as the
# containers of one pod do.
network none
rm -rf "$T/store"
mkdir "$T/store" "$T/ledger.d"
chown 65532:65532 "$T/store" "$T/ledger.d"
: >"$T/variables"
volume "$T/ledger.d" /var/ledger
start_container services standin - --script /usr/share/agent-utils/standin-triage.yaml \
	--mailbox /usr/share/agent-utils/mailbox.mbox --listen 127.0.0.1:8700 \
	--ledger /var/ledger/ledger >"$T/services.out" 2>"$T/services.log"
runc_services=$STARTED
serves() { # serves NAME PORT, which is in hexadecimal
	[ "$(runc state "$1" | jq -r .status)" = running ] &&
		grep -q ":$2 00000000:0000 0A" "/proc/$(process_of "$1")/net/tcp"
}
check "the services are there" await 20 serves services 21FC
network "/proc/$(process_of services)/ns/net"
variable ANTHROPIC_BASE_URL=http://127.0.0.1:8700
variable COMPOSIO_BASE_URL=http://127.0.0.1:8700
variable ANTHROPIC_API_KEY_FILE=/run/secrets/agent/anthropic
variable COMPOSIO_API_KEY_FILE=/run/secrets/agent/composio
volume "$TOP/scripts/examples/mail-triage.yaml" /etc/task.yaml ro
container submit gateway sh -c 'agent-preflight -f /etc/task.yaml | agent-submit' \
	>"$OUT" 2>"$ERR"
same "preflight and submit in the gateway's image" 0 $?
scheduled=$(ids "$OUT")
container token gateway agent-token --file /var/ledger/tokens new ana >"$OUT" 2>"$ERR"
token=$(grep -o 'agt_[A-Za-z0-9_-]*' "$OUT" | head -n 1)
check "a token for a caller" test -n "$token"
variable AGENT_TOKENS_FILE=/var/ledger/tokens
start_container gateway gateway - 2>"$T/gateway.log"
runc_gateway=$STARTED
start_container exporter gateway - exporter 2>"$T/exporter.log"
runc_exporter=$STARTED
check "the gateway is there" await 20 serves gateway 1F90
check "the exporter is there" await 20 serves exporter 2382
inside() { # inside PATH [OPTION OF curl...]
	path=$1
	shift
	nsenter -t "$(process_of services)" -n curl -sS -m 20 -f "$@" "http://127.0.0.1:$path"
}
for path in /healthz /readyz /openapi.json / /new/; do
	check "GET $path" inside "8080$path"
done
agent-status "$scheduled" | jq '.task | del(.user)' >"$T/posted.json"
check "a task is posted" inside 8080/v1/tasks -H "Authorization: Bearer $token" \
	-H 'Idempotency-Key: posted' -H 'Content-Type: application/json' \
	--data-binary "@$T/posted.json"
ID=$(ids "$OUT")
check "the exporter counts it" inside 9090/scale/default
same "and the other one" 2 "$(jq .value "$OUT")"
check "a worker works them off" container worker worker - --exit-when-idle
same "the scheduled task is complete" completed "$(state_of "$scheduled")"
check "the caller asks" inside "8080/v1/tasks/$ID" -H "Authorization: Bearer $token"
same "the other one is complete too" completed "$(jq -r .state "$OUT")"
check "the exporter" inside 9090/scale/default
same "has nothing to scale" 0 "$(jq .value "$OUT")"
for name in gateway exporter services; do
	eval "pid=\$runc_$name"
	signal=TERM
	[ $name = services ] || signal=$(jq -r .config.StopSignal "$T/images/gateway/config.json")
	runc kill $name "$signal"
	ended "$pid"
	same "$name ends when it is told to" 0 "$STATUS"
done
says "the gateway's log is its standard error" '/v1/tasks' "$T/gateway.log"
agent-standin --summary "$T/ledger.d/ledger" >"$T/summary"
check "all that changes something was done once for each task" jq -es '
	map(select(.read_only | not)) | length > 0 and all(.calls == 2 * .distinct)' "$T/summary"

# ---- how soon ----
network none
n=0
while [ $n -lt 15 ]; do
	n=$((n + 1))
	began=$(milliseconds)
	container "nothing-$n" nothing - || break
	between=$(milliseconds)
	container "idle-$n" worker - --exit-when-idle 2>"$ERR" || break
	echo $((between - began)) $(($(milliseconds) - between))
done >"$T/times"
nth() { cut -d ' ' -f "$1" "$T/times" | sort -n | sed -n "$2p"; }
same "containers were timed" 15 "$(wc -l <"$T/times")"
echo "# runc, with a program that does nothing: $(nth 1 1) ms at least, $(nth 1 8) as a rule;" \
	"with a worker that opened its store, asked it for work, found none and ended:" \
	"$(nth 2 1) ms at least, $(nth 2 8) as a rule"
done_testing
