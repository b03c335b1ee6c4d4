#!/bin/sh
# SPDX-License-Identifier: ISC
# scripts/kubernetes: a real API server that refuses what a cluster would
# refuse, keeps its objects over a restart, and leaves nothing behind.
. "$(dirname "$0")/lib.sh"

folder=$T/cluster
trap 'kubernetes stop --folder "$folder"; finish' EXIT
obtain Kubernetes kubernetes start --folder "$folder"
KUBECONFIG=$folder/kubeconfig
export KUBECONFIG
PATH=$(kubernetes build control-plane):$PATH
plan 11

scaled() { # scaled FIELD: a ScaledObject with this field
	cat <<-END
	apiVersion: keda.sh/v1alpha1
	kind: ScaledObject
	metadata: {name: workers, namespace: agents}
	spec:
	  scaleTargetRef: {name: agent-worker}
	  $1: 10
	  triggers: [{type: metrics-api, metadata: {url: "http://x", valueLocation: value, targetValue: "1"}}]
	END
}
apply() { # apply TEXT: the server's answer
	echo "$1" | kubectl apply --dry-run=server --validate=strict -f -
}

check "the version is the one that was asked for" \
	sh -c 'kubectl version | grep "Server Version: v1.35"'
check "a namespace is made" kubectl create namespace agents
kubectl label namespace agents pod-security.kubernetes.io/enforce=restricted \
	>"$OUT" 2>&1
# done here because there is no controller
kubectl -n agents create serviceaccount default >>"$OUT" 2>&1
check "KEDA's ScaledObject is known" apply "$(scaled cooldownPeriod)"
status 1 "a field that it does not have is refused" \
	apply "$(scaled coolDownPeriod)"
says "and named" 'unknown field "spec.coolDownPeriod"' "$ERR"
status 1 "a pod that is not restricted is refused" kubectl -n agents run bare \
	--image=none --dry-run=server
says "and told why" 'violates PodSecurity "restricted' "$ERR"

status 111 "a second start is refused" kubernetes start --folder "$folder"
pids=$(cut -d ' ' -f 1 "$folder"/*.pid)
kubernetes stop --folder "$folder"
left=
for pid in $pids; do
	[ ! -e "/proc/$pid" ] || left="$left $pid"
done
same "after stop nothing is left running" '' "$left"
check "it starts again where it was" kubernetes start --folder "$folder"
check "with what it held" kubectl get namespace agents
