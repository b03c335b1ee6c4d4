#!/bin/sh
# SPDX-License-Identifier: ISC
# k8s-manifests/ against a real API server with KEDA's types: every overlay, and
# every component, is accepted with strict validation; and the built objects have
# what the manifests promise.
# shellcheck disable=SC2016  # the dollars are jq's
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need jq
trap 'kubernetes stop --folder "$T/cluster"; finish' EXIT
obtain Kubernetes kubernetes start --folder "$T/cluster"
KUBECONFIG=$T/cluster/kubeconfig
PATH=$(kubernetes build control-plane):$PATH
export KUBECONFIG
K=$TOP/k8s-manifests

# together NAME COMPONENT...: an overlay of the base and these
together() {
	name=$1
	mkdir -p "$T/$name"
	shift
	{
		printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n'
		printf 'namespace: agents\nresources:\n  - %s/base\ncomponents:\n' "$up"
		printf "  - $up/components/%s\n" "$@"
		printf 'images:\n'
		printf '  - { name: agent-%s, newName: localhost/it, newTag: dev }\n' \
			worker gateway standin temporal
	} >"$T/$name/kustomization.yaml"
}
up=$(realpath --relative-to "$T/x" "$K")
together jobs keda-scaledjob cronjob lmdb standin
together jobs-temporal keda-scaledjob cronjob temporal temporal-server standin
together plain lmdb
for component in "$K"/components/*; do
	grep -q "/$(basename "$component")\$" "$T"/*/kustomization.yaml "$K"/overlays/*/kustomization.yaml ||
		missing="${missing-} $(basename "$component")"
done
same "every component is in an overlay that is tested" '' "${missing-}"

# the objects of each, before the server adds anything
overlays='local local-temporal production jobs jobs-temporal plain'
status 0 "the namespace is there" kubectl apply -f "$K/base/namespace.yaml"
for overlay in $overlays; do
	folder=$K/overlays/$overlay
	[ -d "$folder" ] || folder=$T/$overlay
	check "$overlay: is put together" sh -c "kubectl kustomize '$folder' >'$T/$overlay.yaml'"
	kubectl create --dry-run=client -o json -f "$T/$overlay.yaml" 2>"$ERR" | jq -s . >"$T/$overlay.json"
	status 0 "$overlay: the server takes it, strictly" \
		kubectl apply --dry-run=server --validate=strict -f "$T/$overlay.yaml"
	same "$overlay: and warns of nothing" '' "$(grep -i warning "$ERR")"
done

# holds NAME FILTER [OVERLAY...]: the filter of jq selects what is wrong: nothing
cat >"$T/lib.jq" <<'END'
def pods: .[] | . as $it | (if .kind == "Deployment" then .spec.template
	elif .kind == "CronJob" then .spec.jobTemplate.spec.template
	elif .kind == "ScaledJob" then .spec.jobTargetRef.template else empty end)
	| {kind: $it.kind, name: $it.metadata.name, labels: .metadata.labels, spec};
def ours: pods | select(.name != "agent-temporal" and .name != "agent-standin");
def of($kind): .[] | select(.kind == $kind);
def containers: .spec | .containers[], (.initContainers // [])[];
END
holds() {
	what=$1 filter=$2
	shift 2
	# shellcheck disable=SC2086  # a list of words
	[ $# -gt 0 ] || set -- $overlays
	for overlay; do
		jq -c "$(cat "$T/lib.jq") $filter" "$T/$overlay.json" 2>&1 | sed "s/^/$overlay: /"
	done >"$OUT"
	[ ! -s "$OUT" ]
	ok $? "$what"
}
holds "every pod keeps to what \"restricted\" asks, and to more" 'pods | select(
	.spec.automountServiceAccountToken != false or .spec.enableServiceLinks != false or
	(.spec.securityContext | .runAsNonRoot != true or .runAsUser != 65532 or
		.runAsGroup != 65532 or .fsGroup != 65532 or .seccompProfile.type != "RuntimeDefault") or
	([containers | .securityContext | .readOnlyRootFilesystem != true or
		.allowPrivilegeEscalation != false or .capabilities != {drop: ["ALL"]}] | any)) | .name'
holds "nothing of the host is in a pod" 'pods | select((.spec | .hostNetwork or .hostPID or
	.hostIPC) or ([.spec.volumes[] | has("hostPath")] | any)) | .name'
holds "every pod has an account of its own kind, without a token" '. as $all | pods |
	.spec.serviceAccountName as $account | select([$all | of("ServiceAccount") |
	select(.metadata.name == $account and .automountServiceAccountToken == false)] |
	length != 1) | .name'
holds "no rights on the cluster are given" '.[] | select(.kind | test("Role")) | .metadata.name'
holds "every container has its resources" 'pods | select([containers | .resources |
	.requests.cpu and .requests.memory and .limits.memory and
	.requests["ephemeral-storage"] and .limits["ephemeral-storage"]] | all | not) | .name'
holds "a worker's memory is its own" 'pods | select(.name == "agent-worker") |
	select([containers | .resources.requests.memory == .resources.limits.memory] | all | not) | .name'
holds "what is in memory or on the node's disk has a size" 'pods |
	select([.spec.volumes[] | select(.emptyDir) | .emptyDir.sizeLimit] | all | not) | .name'
holds "what serves is probed, and its liveness does not ask the engine" '[of("Service") |
	.spec.selector["app.kubernetes.io/name"]] as $served | pods | . as $pod |
	select($served | index($pod.name)) | select([containers | .readinessProbe and .livenessProbe and
	(.livenessProbe.httpGet.path // "/healthz") == "/healthz"] | all | not) | .name'
holds "the workers have no replicas" 'of("Deployment") |
	select(.metadata.name == "agent-worker") | select(.spec | has("replicas")) | .metadata.name'
holds "every other Deployment has" 'of("Deployment") |
	select(.metadata.name != "agent-worker") | select(.spec | has("replicas") | not) | .metadata.name'
holds "there is one exporter, apart from what scales" 'if [of("Deployment") |
	select(.metadata.name == "agent-exporter" and .spec.replicas == 1)] | length == 1
	then empty else "none" end'
holds "a worker has time for its grace" '(of("ConfigMap") | .data["agent.yaml"] // empty |
	capture("grace: (?<n>[0-9]+)").n | tonumber) as $grace | pods |
	select(.name == "agent-worker" and .spec.terminationGracePeriodSeconds <= $grace) | .name'

# secrets
holds "no secret is in it" 'of("Secret") | .metadata.name'
holds "no key is in an environment" 'pods | containers | (.env // [])[] | select(
	(.name | test("KEY|TOKEN|SECRET")) and (.name | test("_FILE$|_PATH$") | not)) |
	select(.name != "JOB_NAME") | .name'
holds "nor taken from a Secret into one, but addresses" 'pods | containers |
	(.env // [])[] | select(.valueFrom.secretKeyRef) | select(.name | test("_BASE_URL$") | not) | .name'
holds "no Secret is an environment as a whole" 'pods | containers | (.envFrom // [])[] | select(.secretRef)'
holds "secrets can be read by their group alone" 'pods | .spec.volumes[] |
	select((.secret.defaultMode // .projected.defaultMode // 288) != 288) | .name'
holds "every file that a variable names is mounted" 'pods | . as $pod | containers |
	[.volumeMounts[].mountPath] as $mounts | (.env // [])[] | select(.name | test("_FILE$")) |
	.value as $file | select([$mounts[] | . as $mount | $file | startswith($mount + "/")] | any | not) |
	[$pod.name, .name]'

# names
holds "what is named is there" '. as $all | ([of("ConfigMap") | .metadata.name]) as $maps |
	([of("PersistentVolumeClaim") | .metadata.name]) as $claims | pods | .name as $pod |
	((containers | (.envFrom // [])[] | .configMapRef.name // empty),
	(.spec.volumes[] | (.configMap.name // empty), (.projected.sources // [] | .[] | .configMap.name // empty)) |
	. as $name | select($maps | index($name) | not) | [$pod, .]),
	(.spec.volumes[] | .persistentVolumeClaim.claimName // empty | . as $name |
	select($claims | index($name) | not) | [$pod, .])'
holds "a change of the settings rolls the pods" 'of("ConfigMap") |
	select(.metadata.name | test("-[a-z0-9]{10}$") | not) | .metadata.name'
holds "every Service has pods with that port" '[pods] as $pods | of("Service") | . as $service |
	select([$pods[] | select(.labels["app.kubernetes.io/name"] ==
	$service.spec.selector["app.kubernetes.io/name"]) | containers | (.ports // [])[] |
	select(.name == $service.spec.ports[0].targetPort)] | length != 1) | .metadata.name'
holds "images are pinned, in every overlay" 'pods | containers | .image |
	select(test(":[^/]+$|@sha256:") | not)'
holds "no image is \"latest\"" 'pods | containers | .image | select(test(":latest$"))'

# the scaler
holds "the workers scale by pending and running, from the exporter" '([of("Service") |
	select(.metadata.name == "agent-exporter")][0]) as $exporter | .[] |
	select(.apiVersion == "keda.sh/v1alpha1") | .spec.triggers as $triggers |
	select(($triggers | length) != 1 or $triggers[0].type != "metrics-api" or
	$triggers[0].metadata.valueLocation != "value" or $triggers[0].metadata.url !=
	"http://\($exporter.metadata.name).\($exporter.metadata.namespace).svc:\($exporter.spec.ports[0].port)/scale/default" or
	($triggers[0].metadata | has("activationTargetValue"))) | .metadata.name'
holds "of the queue that the workers serve" 'pods | select(.name == "agent-worker") |
	containers | .args | select(index("--queue=default") | not)'
holds "the HPA never takes a worker away, KEDA takes all" 'of("ScaledObject") | .spec | select(
	.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.selectPolicy != "Disabled" or
	.minReplicaCount != 0 or .triggers[0].useCachedMetrics != true or has("fallback") or
	has("idleReplicaCount") or .cooldownPeriod < 5 * .pollingInterval or
	.scaleTargetRef.name != "agent-worker")'
holds "the target is what one worker does at once" '([of("ConfigMap") | .data["agent.yaml"] // empty |
	capture("concurrency: (?<n>[0-9]+)").n]) as $config | ([of("Deployment") |
	select(.metadata.name == "agent-worker") | .spec.template.spec.containers[0].args[] |
	capture("--concurrency=(?<n>[0-9]+)").n]) as $args | of("ScaledObject") |
	.spec.triggers[0].metadata.targetValue | select([.] != $config or [.] != $args)'
holds "a Job for each task, and the queue tries again" 'of("ScaledJob") | .spec | select(
	.rollout.strategy != "gradual" or .scalingStrategy.strategy != "default" or
	.triggers[0].metadata.targetValue != "1" or (.jobTargetRef | .backoffLimit != 0 or
	.template.spec.restartPolicy != "Never" or (.ttlSecondsAfterFinished | not) or
	(.template.spec.containers[0].args | index("--once") | not)))' jobs jobs-temporal
holds "with Jobs there is no Deployment of workers" 'of("Deployment") |
	select(.metadata.name == "agent-worker") | .metadata.name' jobs jobs-temporal
holds "a scheduled task is one task a time" 'of("CronJob") | .spec | select(
	.concurrencyPolicy != "Forbid" or (.startingDeadlineSeconds | not) or
	(.jobTemplate.spec.template.spec | .restartPolicy != "Never" or
	.containers[0].env[0].valueFrom.fieldRef.fieldPath !=
		"metadata.labels['"'batch.kubernetes.io/job-name'"']" or
	(.containers[0].command[2] | test("--key \"\\$JOB_NAME\" >/dev/termination-log") | not)))' \
	production jobs jobs-temporal

# the store
holds "who has the store is on the node of the exporter" 'ours |
	select([.spec.volumes[] | .persistentVolumeClaim.claimName] | index("agent-store")) |
	select(.name != "agent-exporter") | select(.spec.affinity.podAffinity
		.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchLabels !=
		{"app.kubernetes.io/name": "agent-exporter"}) | .name'
holds "all of ours have it, on LMDB" 'ours | select([.spec.volumes[] |
	.persistentVolumeClaim.claimName] | index("agent-store") | not) | .name' local jobs plain
holds "who only reads it cannot write it" 'ours | select(.name == "agent-exporter") |
	containers | .volumeMounts[] | select(.name == "store" and .readOnly != true)'
holds "nobody has one on Temporal" 'ours | select([.spec.volumes[] |
	.persistentVolumeClaim] | any) | .name' local-temporal production jobs-temporal
holds "the store is smaller than its volume" '([of("PersistentVolumeClaim") |
	select(.metadata.name == "agent-store") | .spec.resources.requests.storage |
	rtrimstr("Gi") | tonumber * 1073741824][0]) as $size | of("ConfigMap") |
	.data["agent.yaml"] // empty | capture("store_bytes: (?<n>[0-9]+)").n |
	tonumber | select(. > $size * 0.9)' local jobs plain

# the arrows
arrows() { # arrows OVERLAY: who may connect to whom, a line each
	jq -r 'def who: [(.matchLabels // {} | to_entries[] | .value),
			(.matchExpressions // [] | .[] | .values[])] |
			map(ltrimstr("agent-")) | if . == [] then "all" else sort | join(",") end;
		def peer: if .ipBlock then .ipBlock | .cidr + " but \(.except | length)" else
			[(.namespaceSelector // empty | "in " + who), (.podSelector // empty | who)] | join(" ") end;
		def peers: (. // []) as $p | if $p == [] then "anybody" else [$p[] | peer] | join(" or ") end;
		def ports: [(.ports // [])[] | "\(.port)"] | unique | join(",");
		.[] | select(.kind == "NetworkPolicy") | .spec | (.podSelector | who) as $who |
		if (.ingress // .egress) == null then "nothing -- \($who) \(.policyTypes | join(","))"
		else (.ingress // [] | .[] | "\(.from | peers) -> \($who) \(ports)"),
			(.egress // [] | .[] | "\($who) -> \(.to | peers) \(ports)") end' "$T/$1.json" | sort
}
check "the settings can be read by the programs" sh -c 'for file in "$1"/base/agent.yaml "$1"/components/*/agent.yaml; do
	echo "{\"user\":\"ann\",\"goal\":\"x\"}" | agent-preflight --check-only --config "$file" || exit 1; done' sh "$K"
check "and so can the scheduled task" agent-preflight --check-only -f "$K/components/cronjob/task.yaml"
common='gateway,task,worker -> 0.0.0.0/0 but 5 or ::/0 but 2 443
gateway,task,worker -> in kube-system kube-dns 53
in keda keda-operator -> exporter http
nothing -- all Ingress,Egress'
standin='gateway,task,worker -> standin http'
engine='exporter -> in kube-system kube-dns 53
exporter,gateway,task,worker -> anybody 7233'
people='anybody -> gateway http'
sorted() { printf '%s\n' "$@" | sort; }
same "the arrows with LMDB are these" "$(sorted "$common" "$people" "$standin" "$standin")" "$(arrows local)"
same "and with Temporal" "$(sorted "$common" "$people" "$standin" "$standin" "$engine" \
	'exporter,gateway,task,worker -> temporal grpc')" "$(arrows local-temporal)"
same "and in production" "$(sorted "$common" "$engine" 'in ingress-nginx -> gateway http')" \
	"$(arrows production)"

# the server alone: there is no node that would start a pod
status 0 "the Jobs are applied" kubectl apply --validate=strict -f "$T/jobs.yaml"
status 0 "and an overlay" kubectl apply --validate=strict -f "$T/local.yaml"
jq -c "$(cat "$T/lib.jq")"' pods | {apiVersion: "v1", kind: "Pod", metadata: {name: ("a-" +
	(.name | ascii_downcase)), namespace: "agents", labels}, spec: (.spec | .restartPolicy = "Never")}' \
	"$T/local.json" "$T/jobs.json" >"$T/pods.json"
status 0 "every pod may be in a restricted namespace" kubectl create --dry-run=server -f "$T/pods.json"
sed 's/"runAsNonRoot":true,//; s/"allowPrivilegeEscalation":false,//' "$T/pods.json" | head -n 1 >"$T/bad.json"
status 1 "one that asks for more may not" kubectl create --dry-run=server -f "$T/bad.json"
says "and is told what" 'violates PodSecurity "restricted:latest".*runAsNonRoot' "$ERR"
replicas() { kubectl -n agents get deployment agent-worker -o 'jsonpath={.spec.replicas}'; }
kubectl -n agents scale deployment agent-worker --replicas 3 >"$OUT" 2>"$ERR"
kubectl apply -f "$T/local.yaml" >"$OUT" 2>"$ERR"
same "to apply it again leaves the scaler's replicas" 3 "$(replicas)"
says "and changes nothing" 'agent-gateway unchanged' "$OUT"
same "at all" '' "$(grep -v 'unchanged$' "$OUT")"
sed 's/cooldownPeriod/coolDownPeriod/' "$T/local.yaml" >"$T/bad.yaml"
status 1 "a misspelt member is refused" kubectl apply --dry-run=server --validate=strict -f "$T/bad.yaml"
says "by its name" 'unknown field "spec.coolDownPeriod"' "$ERR"

# the example of the secrets
cp -R "$K/secrets.example" "$T/secrets"
status 1 "the example fails without tokens" kubectl apply --dry-run=server -k "$T/secrets"
says "and says so" 'tokens' "$ERR"
echo something >"$T/secrets/tokens"
status 0 "with them it is taken" kubectl apply --dry-run=server --validate=strict -k "$T/secrets"
done_testing
