#!/bin/sh
# SPDX-License-Identifier: ISC
# The whole system in pods: a real control plane, kubelet, containerd and runc,
# KEDA's operator, the images of scripts/images and the manifests of
# k8s-manifests. Minutes, root, by hand or nightly: make interop-k8s.
#
#	PARTS="story kill" make interop-k8s     only these; FIGURES=FILE keeps
#	                                        what was measured; IMAGES=FOLDER
#	                                        takes the archives that are there
#
# Differences from a cluster: there is no DNS and no kube-proxy, so the pods
# know the stand-in by hostAliases and KEDA asks the exporter's pod; nothing
# enforces the network policies; the HPA acts every 5 s and the cooldown is
# 15 s. The stand-in runs on the host. The volume is a folder of the host, so
# the same programs read the tasks there.
XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}
export XDG_CACHE_HOME
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
BIN=${BIN:-$ROOT/bin} BUILD=${BUILD:-$ROOT/build}
. "$ROOT/tests/lib.sh"
TOP=$ROOT
. "$ROOT/tests/triage.sh"
PARTS=${PARTS:-story kill rolling drain down exporter many cron jobs temporal}
COOLDOWN=15 GATE=10.200.0.1
cluster=$T/k

kubernetes() { "$ROOT/scripts/kubernetes" "$@"; }
trap 'kubernetes stop --folder "$cluster" || KEEP=1; finish' EXIT
await() { # await SECONDS COMMAND...: as in lib.sh, but by the clock
	limit=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $limit ] || return 1
		sleep 0.1
	done
}
milliseconds() { date +%s%3N; }
figure() { # figure WORDS: into the report
	echo "# figure: $*"
	[ -z "${FIGURES-}" ] || echo "$*" >>"$FIGURES"
}
seconds() { # seconds MILLISECONDS
	awk -v ms="$1" 'BEGIN { printf "%.1f s\n", ms / 1000 }'
}
# ---- the cluster ----

images() { # their archives: those in the folder IMAGES, or new ones
	[ -z "${IMAGES-}" ] || { ln -s "$(realpath "$IMAGES")" "$T/images"; return; }
	"$ROOT/scripts/images" build && "$ROOT/scripts/images" save "$T/images"
}

overlay() { # overlay NAME COMPONENT...: applies base and these, with our patches
	mkdir -p "$T/$1"
	manifests=$(realpath --relative-to "$T/$1" "${MANIFESTS:-$ROOT/k8s-manifests}")
	folder=$T/$1
	shift
	{
		echo "namespace: agents"
		echo "resources: [$manifests/base]"
		echo components:
		for component; do
			echo "- $manifests/components/$component"
		done
		[ -z "${AGENT_ENGINE-}" ] || printf '%s\n' configMapGenerator: \
			"- {name: agent-env, behavior: merge, literals: [AGENT_ENGINE=$AGENT_ENGINE]}"
		cat "$ROOT/tests/interop/kubernetes.yaml"
	} | sed "s/GATE/$GATE/; s/COOLDOWN/$COOLDOWN/" >"$folder/kustomization.yaml"
	kubectl apply --validate=strict -k "$folder"
}

# The volume that the claim of components/lmdb takes, with a store that is the
# pods' own and not root's.
volume() {
	mkdir -m 770 "$T/volume" && chown 65532:65532 "$T/volume" &&
		ANTHROPIC_API_KEY=none setpriv --reuid 65532 --regid 65532 \
			--clear-groups agent-worker --exit-when-idle &&
		kubectl apply -f - <<-END
		apiVersion: v1
		kind: PersistentVolume
		metadata: {name: agent-store}
		spec:
		  capacity: {storage: 20Gi}
		  accessModes: [ReadWriteOnce]
		  local: {path: $T/volume}
		  nodeAffinity:
		    required:
		      nodeSelectorTerms:
		      - matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [localhost]}]
		END
}

# A token, in $TOKEN and in the Secret. Its user is not ana, who has the
# CronJob's task: the ledger would show ana's drafts twice.
tokens() {
	AGENT_TOKENS_FILE=$T/tokens agent-token new ben >"$T/token" &&
		TOKEN=$(jq -r .token "$T/token") &&
		kubectl -n agents create secret generic agent-tokens \
			--from-file=tokens="$T/tokens"
}

# Every change of a pod of the workers, with the time: name, phase, being
# deleted, exit status.
watch_pods() { # a program of its own: it has none of our traps
	# shellcheck disable=SC2016 # for the inner shell
	start sh -c 'kubectl -n agents get pods --watch -o jsonpath="$1" \
		-l app.kubernetes.io/name=agent-worker | while read -r line; do
			echo "$(date +%s%3N) $line"
		done' sh '{.metadata.name} {.status.phase} {.metadata.deletionTimestamp}/{.status.containerStatuses[0].state.terminated.exitCode}{"\n"}' >"$T/pods"
}

pod_ip() { # pod_ip NAME
	kubectl -n agents get pods -l app.kubernetes.io/name="$1" \
		-o jsonpath='{.items[0].status.podIP}'
}
api() { # api METHOD PATH [OPTION of curl...]
	method=$1 path=$2
	shift 2
	curl -sS -X "$method" -H "Authorization: Bearer $TOKEN" "$@" \
		"http://$(pod_ip agent-gateway):8080/v1$path"
}
replicas() {
	kubectl -n agents get deployment agent-worker -o jsonpath='{.spec.replicas}'
}
has_replicas() { [ "$(replicas)" = "$1" ]; }
running_pods() {
	kubectl -n agents get pods -l app.kubernetes.io/name=agent-worker \
		--field-selector status.phase=Running -o name
}
has_running() { [ "$(running_pods | wc -l)" -ge "$1" ]; }
no_pods() {
	[ -z "$(kubectl -n agents get pods -l app.kubernetes.io/name=agent-worker -o name)" ]
}
first_running() { # first_running SINCE: the time of the first pod that ran after
	awk -v since="$1" '$1 >= since && $3 == "Running" { print $1; found = 1; exit }
		END { exit !found }' "$T/pods"
}
at_zero() { # waits until there is no worker, and nothing to do
	await 90 no_pods
}

# ---- tasks ----

drafting() { has "$1" '"type":"tool.started".*"tool":"GMAIL_CREATE_EMAIL_DRAFT"'; }
slow() { standin_with 700 700; }
quick() { standin_with 60 25; }
standin_with() { # standin_with MODEL TOOLS: these latencies from now on
	if [ -n "${STANDIN-}" ]; then
		kill -TERM "$STANDIN"
		ended "$STANDIN"
	fi
	triage_standin "$1" "$2" --listen "$GATE:8700" --allow-remote \
		--state "$T/state"
	AGENT_STORE=$T/volume
}
tasks=0
begin() { # begin USER: a task that a pod works on, in the middle of its calls
	slow
	check "$1: a task is submitted" submit "$1"
	tasks=$((tasks + 1))
	check "$1: a pod makes its calls" await 60 drafting "$ID"
	pod=$(running_pods | head -n 1) began=$(milliseconds)
}
ends_once() { # ends_once NAME: the task $ID, and all others there were
	check "$1: the task ends" await 120 is_state "$ID" completed
	done_once "$1" "$tasks"
}
workers_of() { # workers_of ID: how many have held it
	number "$1" '"type":"started"'
}

# ---- the parts ----

# From nothing to a task done and to nothing again, through the gateway.
story() {
	slow
	tasks=$((tasks + 1)) began=$(milliseconds)
	jq -n '{goal: "Go through the last three days of my mail, draft replies to anything urgent, create Linear tickets for the engineering ones.",
		toolkits: ["gmail", "linear"], tools: ["GMAIL_FETCH_EMAILS",
		"GMAIL_CREATE_EMAIL_DRAFT", "GMAIL_LIST_DRAFTS", "LINEAR_LIST_LINEAR_TEAMS",
		"LINEAR_LIST_LINEAR_ISSUES", "LINEAR_CREATE_LINEAR_ISSUE"]}' >"$T/task.json"
	check "the gateway takes a task while there is no worker" \
		api POST /tasks -H 'Content-Type: application/json' \
		-H 'Idempotency-Key: story' --data @"$T/task.json" -f
	ID=$(ids "$OUT")
	check "a worker's pod runs" await 60 first_running "$began"
	first=$(($(first_running "$began") - began))
	figure "first worker's pod running after a submit at zero: $(seconds $first)"
	pod=$(running_pods | head -n 1)
	check "within 5 s of the submit" [ $first -le 5000 ]
	ends_once story
	api GET "/tasks/$ID/result" >"$OUT"
	says "the gateway gives the result" '"result":".*draft' "$OUT"
	ended_at=$(milliseconds)
	check "the last worker goes" at_zero
	figure "no worker's pod any more after the last task:" \
		"$(seconds $(($(milliseconds) - ended_at))) (cooldown $COOLDOWN s)"
	same "it ended with 0" 0 "$(gone "$pod" | cut -d ' ' -f 2)"
}

# SIGKILL for the worker, in the middle of its calls.
kill_pod() {
	begin killed
	target=$(kubectl -n agents get "$pod" -o jsonpath='{.status.containerStatuses[0].containerID}')
	ctr -a "$cluster/run/containerd.sock" -n k8s.io task kill -s KILL "${target#*://}"
	ends_once "a worker killed"
	same "two workers have held it" 2 "$(workers_of "$ID")"
	same "the container was started again" 1 "$(kubectl -n agents get "$pod" -o jsonpath='{.status.containerStatuses[0].restartCount}')"
}

handed_over() { # handed_over NAME: the journal of a worker that was told to end
	check "$1: the task was given back" has "$ID" '"type":"released"'
	same "$1: two workers have held it" 2 "$(workers_of "$ID")"
	same "$1: no call was in doubt" 0 "$(number "$ID" '"type":"tool.unknown"')"
}
gone() { # gone POD: when it had ended after it was told to go, and how
	awk -v name="${1#pod/}" '$2 == name && match($4, /Z\/[0-9]+$/) {
		print $1, substr($4, RSTART + 2); found = 1; exit
	} END { exit !found }' "$T/pods"
}
gone_in() { # gone_in NAME: what became of the worker $pod, told to go at $began
	check "$1: the worker is gone" await 60 gone "$pod"
	at=$(gone "$pod")
	code=${at#* } at=${at% *}
	figure "$1: worker ended $(seconds $((at - began))) after it was told to go"
	same "$1: its exit status" 0 "$code"
}

rolling() {
	begin rolling
	check "a rolling update begins" kubectl -n agents rollout restart deployment agent-worker
	gone_in "rolling update"
	ends_once "rolling update"
	handed_over "rolling update"
}

drain() {
	begin drained
	check "the node is drained of workers" kubectl drain localhost --timeout 60s \
		--delete-emptydir-data --pod-selector app.kubernetes.io/name=agent-worker
	check "and used again" kubectl uncordon localhost
	gone_in drain
	ends_once drain
	handed_over drain
}

# The workers are removed by hand; KEDA brings one back, for a task is under way.
scale_down() {
	begin down
	check "the workers are scaled down" kubectl -n agents scale deployment agent-worker --replicas 0
	gone_in "scale-down"
	ends_once "scale-down"
	handed_over "scale-down"
}

# No number for longer than the cooldown: the workers stay.
exporter() {
	begin exporter
	before=$(replicas)
	kubectl -n agents scale deployment agent-exporter --replicas 0 >"$OUT" 2>&1
	began=$(milliseconds)
	ends_once "exporter down"
	while [ $(($(milliseconds) - began)) -lt $((COOLDOWN * 2000)) ]; do
		[ "$(replicas)" = "$before" ] || break
		sleep 0.2
	done
	same "exporter down for twice the cooldown: the workers stay" "$before" "$(replicas)"
	figure "exporter away for $(seconds $(($(milliseconds) - began))): replicas stay at $before"
	kubectl -n agents scale deployment agent-exporter --replicas 1 >"$OUT" 2>&1
	check "it comes back, and the workers go" at_zero
}

# More tasks than one worker can run: N pods, and everything once.
many() {
	check "there is no worker at first" at_zero
	quick
	began=$(milliseconds)
	count=0
	while [ $count -lt 200 ]; do
		count=$((count + 1))
		checked "many-$count" || return
	done >"$T/many" 2>"$ERR"
	tasks=$((tasks + 200))
	submitted=$(milliseconds)
	check "200 tasks are submitted" agent-submit -f "$T/many"
	figure "200 tasks submitted in $(seconds $(($(milliseconds) - submitted)))"
	check "N pods run" await 60 has_running 10
	figure "10 workers running $(seconds $(($(milliseconds) - submitted))) after the first submit"
	check "all tasks end" await 300 counted completed $tasks
	figure "200 tasks done $(seconds $(($(milliseconds) - submitted))) after the first submit"
	done_once "200 tasks" $tasks
	check "all workers go" at_zero
	ID=$(agent-status --limit 1 | sed 's/{"id":"\([^"]*\).*/\1/')
	sound "200 tasks"
}

jobs_of_cron() {
	kubectl -n agents get jobs -o name | grep '/agent-mail-triage-' | head -n 1
}
cron_ran() { [ -n "$(jobs_of_cron)" ]; }
cron_again() { # the Job of the same minute, made once more
	[ "$(kubectl -n agents get "$job" -o jsonpath='{.metadata.uid}')" != "$uid" ]
}
job_done() {
	kubectl -n agents wait --for condition=Complete --timeout 60s "$job"
}
# The controller makes the Job of one minute twice: its status is put back.
cron() {
	quick
	kubectl -n agents patch cronjob agent-mail-triage --type merge -p '{"spec":{"schedule":"* * * * *"}}' >"$OUT" 2>&1
	check "the scheduled time comes" await 90 cron_ran
	job=$(jobs_of_cron) tasks=$((tasks + 1))
	check "its task is submitted" job_done
	uid=$(kubectl -n agents get "$job" -o jsonpath='{.metadata.uid}')
	kubectl -n agents delete "$job" >"$OUT" 2>&1
	kubectl -n agents patch cronjob agent-mail-triage --subresource status --type merge \
		-p '{"status":{"lastScheduleTime":"2020-01-01T00:00:00Z","active":null}}' >>"$OUT" 2>&1
	check "the same minute fires again" await 60 cron_again
	check "and ends well" job_done
	kubectl -n agents patch cronjob agent-mail-triage --type merge -p '{"spec":{"suspend":true}}' >"$OUT" 2>&1
	same "it is one task" 1 "$(agent-status --limit 1000 | grep -c "\"key\":\"${job#*/}\"")"
	kubectl -n agents create configmap wrong --from-literal=task.yaml="$(
		printf 'user: ana\ngoal: Look.\ntools: [GMAIL_NO_SUCH_TOOL]\n')" >"$OUT" 2>&1
	kubectl -n agents create job wrong --from=cronjob/agent-mail-triage \
		--dry-run=client -o json | jq '(.spec.template.spec.volumes[] |
		select(.name == "task").configMap.name) = "wrong"' |
		kubectl apply -f - >>"$OUT" 2>&1
	check "a task that is refused is a failed Job" kubectl -n agents wait \
		--for condition=Failed --timeout 60s job/wrong
	kubectl -n agents get pods -l batch.kubernetes.io/job-name=wrong \
		-o jsonpath='{.items[0].status.containerStatuses[0].state.terminated.message}' >"$OUT"
	says "and the pod says why" 'GMAIL_NO_SUCH_TOOL' "$OUT"
}

# One Job for each task: each ends after its own.
jobs_number() { kubectl -n agents get jobs -l "$1" -o name | wc -l; }
has_jobs() { [ "$(jobs_number scaledjob.keda.sh/name=agent-worker)" -ge "$1" ]; }
jobs() {
	check "there is no worker at first" at_zero
	kubectl -n agents delete scaledobject/agent-worker deployment/agent-worker >"$OUT" 2>&1
	standin_with 300 300
	check "a ScaledJob is applied" overlay jobs keda-scaledjob lmdb standin
	began=$(milliseconds)
	check "three tasks are submitted" submit job-1 job-2 job-3
	tasks=$((tasks + 3))
	check "three Jobs are made" await 60 has_jobs 3
	figure "ScaledJob: three Jobs $(seconds $(($(milliseconds) - began))) after three submits"
	check "all tasks end" await 120 counted completed $tasks
	check "all Jobs are complete" kubectl -n agents wait --for condition=Complete \
		--timeout 60s job -l scaledjob.keda.sh/name=agent-worker
	same "as many Jobs as tasks" 3 "$(jobs_number scaledjob.keda.sh/name=agent-worker)"
	done_once "one Job per task" $tasks
	kubectl -n agents delete scaledjob agent-worker >"$OUT" 2>&1
}

# The same on a real Temporal server: by our number, and by KEDA's own scaler.
watch_replicas() { # until the three tasks end: $most and $least after it
	most=0 least=999
	deadline=$(($(date +%s) + 300))
	until counted completed "$1" || [ "$(date +%s)" -gt $deadline ]; do
		count=$(replicas)
		[ "$count" -le "$most" ] || most=$count
		[ "$most" -lt 3 ] || [ "$count" -ge "$least" ] || least=$count
		sleep 0.1
	done
}
three() { # three NAME: three tasks whose calls take 6 s, and what becomes of them
	check "$1: three tasks are submitted" submit "$1-1" "$1-2" "$1-3"
	temporal_tasks=$((temporal_tasks + 3)) tasks=$((tasks + 3))
	watch_replicas $temporal_tasks
	done_once "$1" "$tasks"
	figure "Temporal, scaled by the $1: $most workers for three tasks, $least before they had ended"
}
patch_scaler() { # patch_scaler JSON of its spec
	kubectl -n agents patch scaledobject agent-worker --type merge -p "{\"spec\":$1}"
}
temporal() {
	kubectl -n agents delete scaledobject,scaledjob,cronjob,deployment --all >"$OUT" 2>&1
	test_server=$T/temporal
	"$ROOT/scripts/temporal-server" start --folder "$test_server" --tuned >"$OUT" 2>"$ERR"
	case $? in
	0) TEMPORAL=$(cat "$OUT") ;;
	111) skip "tasks on Temporal" "Temporal: $(tail -n 1 "$ERR")"; return ;;
	*) ok 1 "a Temporal server starts"; return ;;
	esac
	start python3 "$ROOT/tests/interop/forward.py" "$GATE:7233" "$TEMPORAL"
	TEMPORAL=$GATE:7233
	temporal_tasks=0 AGENT_ENGINE=temporal://$TEMPORAL/default
	export AGENT_ENGINE
	standin_with 500 6000
	check "the manifests are applied, for Temporal" overlay two keda-scaledobject temporal standin
	check "one worker for each task" patch_scaler '{"triggers":[{"type":"metrics-api","metadata":{
		"url":"http://agent-exporter.agents.svc:9090/scale/default","valueLocation":"value",
		"targetValue":"1","aggregateFromKubeServiceEndpoints":"true"}}]}'
	check "the exporter works" kubectl -n agents wait --for condition=Available \
		--timeout 90s deployment/agent-exporter
	three sum
	same "by our number no busy worker goes" 3 "$least"
	check "when all is done, all go" at_zero
	check "KEDA's own scaler" patch_scaler '{"triggers":[{"type":"temporal","metadata":{
		"endpoint":"'"$TEMPORAL"'","namespace":"default","taskQueue":"agent-default",
		"queueTypes":"activity,workflow","targetQueueSize":"1"}}],"advanced":{
		"horizontalPodAutoscalerConfig":{"behavior":{"scaleDown":{
		"selectPolicy":"Max","stabilizationWindowSeconds":0}}}}}'
	three backlog
	unset AGENT_ENGINE
}

# ---- all of it ----

need jq curl python3
[ "$(id -u)" -eq 0 ] || skip_all "a node: it takes root"
obtain images images
chmod 711 "$T"
obtain Kubernetes kubernetes start --folder "$cluster" --node
KUBECONFIG=$cluster/kubeconfig
export KUBECONFIG
PATH=$(kubernetes build all):$PATH
echo "plain_http: $GATE" >"$T/agent.yaml"
AGENT_CONFIG=$T/agent.yaml AGENT_STORE=$T/volume
export AGENT_CONFIG AGENT_STORE
check "the images are loaded" kubernetes load --folder "$cluster" "$T"/images/*.tar
check "there is a volume" volume
check "the manifests are applied" overlay one keda-scaledobject cronjob lmdb standin
check "somebody may use the gateway" tokens
check "gateway and exporter work" kubectl -n agents wait --for condition=Available \
	--timeout 90s deployment/agent-gateway deployment/agent-exporter
check "KEDA knows the workers" kubectl -n agents wait --for condition=Ready \
	--timeout 60s scaledobject/agent-worker
watch_pods
check "and there are none" at_zero
[ $test_failed -eq 0 ] || {
	tail -n 5 "$cluster"/*.log | cut -c 1-400
	kubectl -n agents get pods,events
	exit 1
} >&2
for name in $PARTS; do
	case $name in
	story | rolling | drain | exporter | many | cron | jobs | temporal) ;;
	kill) name=kill_pod ;;
	down) name=scale_down ;;
	*) echo "kubernetes.sh: no part is called $name" >&2; exit 1 ;;
	esac
	echo "# ---- $name"
	$name
done
sound "at the end"
done_testing
