#!/bin/sh
# SPDX-License-Identifier: ISC
# scripts/kubernetes: a real API server that refuses what a cluster would
# refuse, keeps what it holds over a restart, and leaves nothing behind.
XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}
AGENT_KUBERNETES_BUILD=no
export XDG_CACHE_HOME AGENT_KUBERNETES_BUILD
. "$(dirname "$0")/lib.sh"

cluster() { "$TOP/scripts/kubernetes" "$@"; }
folder=$T/cluster
trap 'cluster stop --folder "$folder"; finish' EXIT
KUBECONFIG=$(cluster start --folder "$folder" 2>"$ERR")
case $? in
0) export KUBECONFIG ;;
111) skip_all "NO KUBERNETES: $(cat "$ERR")" ;;
*) cat "$ERR" >&2; exit 1 ;;
esac
PATH=$(cluster build control-plane):$PATH
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
apply() { # apply TEXT: what the server says to it
	echo "$1" | kubectl apply --dry-run=server --validate=strict -f -
}

check "the version is the one that was asked for" \
	sh -c 'kubectl version | grep "Server Version: v1.35"'
check "a namespace is made" kubectl create namespace agents
kubectl label namespace agents pod-security.kubernetes.io/enforce=restricted \
	>"$OUT" 2>&1
# what a controller does that is not here
kubectl -n agents create serviceaccount default >>"$OUT" 2>&1
check "KEDA's ScaledObject is known" apply "$(scaled cooldownPeriod)"
status 1 "a field that it does not have is refused" \
	apply "$(scaled coolDownPeriod)"
says "and named" 'unknown field "spec.coolDownPeriod"' "$ERR"
status 1 "a pod that is not restricted is refused" kubectl -n agents run bare \
	--image=none --dry-run=server
says "and told why" 'violates PodSecurity "restricted' "$ERR"

status 111 "a second start is refused" cluster start --folder "$folder"
pids=$(cut -d ' ' -f 1 "$folder"/*.pid)
cluster stop --folder "$folder"
left=
for pid in $pids; do
	[ ! -e "/proc/$pid" ] || left="$left $pid"
done
same "after stop nothing is left running" '' "$left"
check "it starts again where it was" cluster start --folder "$folder"
check "with what it held" kubectl get namespace agents
