#!/bin/sh
# SPDX-License-Identifier: ISC
# scripts/local-cluster without a cluster: what it would run, and in which order,
# with programs instead of kind, k3d, minikube, docker and kubectl that only
# record how they were called.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir "$T/bin"
tools() { # tools NAME...: these are here, and no others
	rm -f "$T/bin"/*
	for tool; do
		cat >"$T/bin/$tool" <<-'END'
		#!/bin/sh
		echo "${0##*/} $*" >>"$CALLS"
		case "${0##*/} $*" in
		*"--entrypoint agent-token "*) echo '{"user":"ana","token":"agt_for_ana"}' ;;
		*"get secret"*) exit 1 ;;
		*"$FAILS"*) exit 1 ;;
		esac
		END
		chmod +x "$T/bin/$tool"
	done
}
CALLS=$T/calls FAILS=nothing-fails
export CALLS FAILS
cluster() {
	: >"$CALLS"
	PATH=$T/bin:/usr/bin:/bin "$TOP/scripts/local-cluster" "$@"
}
before() { # before NAME FIRST SECOND: in what was called
	awk -v first="$2" -v second="$3" 'index($0, first) && !a { a = NR }
		index($0, second) && !b { b = NR } END { exit !(a && b && a < b) }' "$CALLS"
	ok $? "$1"
}

tools kubectl docker
status 100 "no cluster tool" cluster up
says "is told which" 'none of kind, k3d and minikube' "$ERR"
status 100 "no command" cluster
status 100 "an option that is none" cluster up --fast
status 100 "a port that is none" cluster up --port web
status 100 "secrets that are none" cluster up --secrets "$T"
tools kubectl docker kind k3d minikube
status 100 "a tool that is none" cluster up --with compose
tools kubectl docker minikube

for tool in kind k3d minikube; do
	tools kubectl docker $tool
	status 0 "$tool: up" cluster up --port 8123
	says "$tool: the page's address" '^The page is at http://127.0.0.1:8123/$' "$OUT"
	says "$tool: and a token for it" '^Sign in with: agt_for_ana$' "$OUT"
	cp "$CALLS" "$T/$tool.calls"
	for image in worker gateway standin; do
		says "$tool: $image is built" "^docker build --target $image -t localhost/agent-$image:dev \.$" "$CALLS"
		says "$tool: and loaded" "^$tool .*(load|import).*localhost/agent-$image:dev" "$CALLS"
	done
	before "$tool: the cluster, then KEDA" "$tool" "apply --server-side"
	before "$tool: KEDA works before it is given work" "wait --for condition=Available" "apply -k"
	before "$tool: the tokens before the pods" "create secret generic agent-tokens" "apply -k"
	says "$tool: the overlay" 'apply -k k8s-manifests/overlays/local$' "$CALLS"
	before "$tool: the pods are up before it says so" "rollout status" "port-forward"
	says "$tool: the port is this machine's" 'port-forward --address 127.0.0.1 service/agent-gateway 8123:80$' "$CALLS"
	status 0 "$tool: a dry run" cluster up --port 8123 --dry-run
	same "$tool: runs nothing" '' "$(cat "$CALLS")"
	says "$tool: and says what it would" "^kubectl .* apply -k k8s-manifests/overlays/local$" "$OUT"
	status 0 "$tool: down" cluster down
	says "$tool: removes it" "^$tool .*delete.*agent-utils" "$CALLS"
	same "$tool: and nothing else" 1 "$(wc -l <"$CALLS")"
done
same "every call is of the cluster that it made" '' \
	"$(grep '^kubectl' "$T"/*.calls | grep -v -e '--context [a-z0-9-]*agent-utils ')"

tools kubectl podman kind
status 0 "podman will do" cluster up --temporal
says "with Temporal" 'apply -k k8s-manifests/overlays/local-temporal$' "$CALLS"
says "podman builds" '^podman build --target worker' "$CALLS"
cp -R "$TOP/k8s-manifests/secrets.example" "$T/secrets"
status 0 "with secrets of one's own" cluster up --secrets "$T/secrets"
before "they are applied before the pods" "apply -k $T/secrets" "apply -k k8s-manifests"
status 1 "and no token is made" grep -q -e "--entrypoint agent-token" "$CALLS"
for FAILS in "kind create" "podman build" "kind load" "server-side" "wait --for" "apply -k" "rollout status"; do
	status 111 "a failure of \"$FAILS\" ends it" cluster up
	status 1 "before it says that all is well" grep -q 'The page is at' "$OUT"
done
done_testing
