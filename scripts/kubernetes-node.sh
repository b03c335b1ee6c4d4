# SPDX-License-Identifier: ISC
# The part of scripts/kubernetes that runs pods and scales them: controllers,
# one node with containerd and runc, KEDA. Sourced by it.
#
# Everything of the node lives in $folder and under the bridge and the cgroup
# $node_name, so that node_stop can remove all of it, even when the script that
# started it was killed. The node is called localhost, which the API server can resolve
# for logs and exec. There is no DNS and no kube-proxy: a Service has no
# address that works, a pod has (the host reaches it over the bridge).
# shellcheck shell=sh disable=SC2154 # variables of scripts/kubernetes

node_name=agent-k8s
node_address=10.200.0.1
# kubelet and the bridge plugin set these; node_stop restores their old values
node_settings='vm/overcommit_memory vm/panic_on_oom kernel/panic
	kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes
	net/ipv4/ip_forward'

# folders outside of $folder that come into being; those that were not there go
node_folders='/var/lib/kubelet /var/lib/cni /var/log/containers /run/containerd
	/usr/libexec/kubernetes'

node_possible() {
	[ "$(id -u)" -eq 0 ] || not_now "a node takes root"
	for command in containerd ctr runc ip; do
		command -v $command >/dev/null ||
			not_now "a node takes $command: run scripts/install-deps cluster"
	done
	[ -x /usr/lib/cni/bridge ] ||
		not_now "a node takes containernetworking-plugins"
	[ ! -e /sys/class/net/$node_name ] ||
		not_now "there is a node on this machine already (bridge $node_name)"
}

containers() { # containers ARGUMENTS of ctr
	ctr -a "$folder/run/containerd.sock" -n k8s.io "$@"
}

# The cgroup's folder in each hierarchy, of version 1 or 2.
cgroup_folders() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo /sys/fs/cgroup/$node_name
	else
		for hierarchy in /sys/fs/cgroup/*/; do
			[ ! -L "${hierarchy%/}" ] && echo "$hierarchy$node_name"
		done
	fi
}

node_files() {
	mkdir -p "$folder/run" "$folder/cni" "$folder/kubelet"
	for setting in $node_settings; do
		[ ! -e "/proc/sys/$setting" ] ||
			echo "$setting $(cat "/proc/sys/$setting")"
	done >"$folder/settings"
	for path in $node_folders; do
		[ -e "$path" ] || echo "$path"
	done >"$folder/absent"
	# without this right no process can be made less likely to be killed
	restrict=true
	[ $((0x$(awk '/CapEff/ { print substr($2, 8) }' /proc/self/status) & 0x1000000)) -eq 0 ] ||
		restrict=false
	cat >"$folder/containerd.toml" <<-END
	version = 2
	root = "$folder/containerd"
	state = "$folder/run/containerd"
	oom_score = 0
	[grpc]
	  address = "$folder/run/containerd.sock"
	[plugins."io.containerd.internal.v1.opt"]
	  path = "$folder/opt"
	[plugins."io.containerd.grpc.v1.cri"]
	  sandbox_image = "localhost/pause:1"
	  restrict_oom_score_adj = $restrict
	  netns_mounts_under_state_dir = true
	[plugins."io.containerd.grpc.v1.cri".cni]
	  bin_dir = "/usr/lib/cni"
	  conf_dir = "$folder/cni"
	END
	cat >"$folder/cni/bridge.conflist" <<-END
	{"cniVersion": "0.4.0", "name": "$node_name", "plugins": [{"type": "bridge",
	"bridge": "$node_name", "isGateway": true, "ipMasq": false,
	"ipam": {"type": "host-local", "dataDir": "$folder/cni/addresses",
	"ranges": [[{"subnet": "${node_address%.*}.0/24", "gateway": "$node_address"}]]}}]}
	END
	cat >"$folder/kubelet.yaml" <<-END
	apiVersion: kubelet.config.k8s.io/v1beta1
	kind: KubeletConfiguration
	address: 127.0.0.1
	port: $((port + 5))
	healthzPort: 0
	authentication: {x509: {clientCAFile: $folder/keys/ca.crt}, anonymous: {enabled: false}}
	tlsCertFile: $folder/keys/kubelet.crt
	tlsPrivateKeyFile: $folder/keys/kubelet.key
	containerRuntimeEndpoint: unix://$folder/run/containerd.sock
	podLogsDir: $folder/pod-logs
	volumePluginDir: $folder/kubelet/volume-plugins
	cgroupDriver: cgroupfs
	cgroupRoot: /$node_name
	failCgroupV1: false
	failSwapOn: false
	oomScoreAdj: 0
	makeIPTablesUtilChains: false
	evictionHard: {memory.available: 50Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
	imageGCHighThresholdPercent: 100
	END
	sed -e 's/admin/kubelet/' "$folder/kubeconfig" >"$folder/kubelet.kubeconfig"
	chmod 600 "$folder/kubelet.kubeconfig"
}

# An archive with one program that waits, for the image that each pod holds.
pause_image() {
	work=$folder/pause
	mkdir -p "$work"
	echo '#include <unistd.h>
		#include <signal.h>
		static void end(int s) { (void)s; _exit(0); }
		int main(void) { signal(SIGTERM, end); signal(SIGINT, end);
		signal(SIGCHLD, SIG_IGN); for (;;) pause(); }' |
		cc -static -Os -s -o "$work/pause" -x c - || return
	tar -C "$work" -cf "$work/layer.tar" pause
	digest=$(sha256sum "$work/layer.tar")
	echo '{"architecture": "amd64", "os": "linux", "config":
		{"Entrypoint": ["/pause"], "User": "65535"}, "rootfs": {"type": "layers",
		"diff_ids": ["sha256:'"${digest%% *}"'"]}}' |
		sed "s/amd64/$(dpkg --print-architecture)/" >"$work/config.json"
	echo '[{"Config": "config.json", "RepoTags": ["localhost/pause:1"],
		"Layers": ["layer.tar"]}]' >"$work/manifest.json"
	tar -C "$work" -cf "$work.tar" manifest.json config.json layer.tar
	rm -r "$work"
	load "$work.tar"
}

load() { # load ARCHIVE...: images, as docker save and buildah push write them
	for archive; do
		containers images import --all-platforms "$archive" >>"$folder/ctr.log" 2>&1 ||
			failed "cannot load the images of $archive" "$folder/ctr.log"
	done
}

launch_containerd() {
	# NOTIFY_SOCKET and the like belong to the machine's own service
	env -i PATH="$PATH" containerd --config "$folder/containerd.toml" \
		>>"$folder/containerd.log" 2>&1 </dev/null 9>&- &
	remember $! "$folder/containerd.pid"
	wait_for containerd containers version
}

# The bridge plugin would make it with the first pod, but servers on this host
# listen on its address before.
make_bridge() {
	ip link add $node_name type bridge &&
		ip address add $node_address/24 dev $node_name &&
		ip link set $node_name up
}

# The controllers: the HPA looks every 5 s here, in a cluster every 15 s.
launch_controllers() {
	launch kube-controller-manager --kubeconfig "$folder/kubeconfig" \
		--bind-address 127.0.0.1 --secure-port $((port + 3)) --leader-elect=false \
		--service-account-private-key-file "$folder/keys/accounts.key" \
		--root-ca-file "$folder/keys/ca.crt" \
		--horizontal-pod-autoscaler-sync-period 5s
	launch kube-scheduler --kubeconfig "$folder/kubeconfig" \
		--bind-address 127.0.0.1 --secure-port $((port + 4)) --leader-elect=false
}

launch_kubelet() {
	cgroup_folders | xargs mkdir -p
	launch kubelet --config "$folder/kubelet.yaml" --root-dir "$folder/kubelet" \
		--cert-dir "$folder/kubelet/pki" --hostname-override localhost \
		--kubeconfig "$folder/kubelet.kubeconfig"
	wait_for "kubelet containerd" ask get node localhost &&
		ask wait --for condition=Ready --timeout 60s node/localhost \
			>>"$folder/kubectl.log" 2>&1
}

# KEDA outside of the cluster: the API server finds its metrics through a
# Service that is a name for this host.
launch_keda() {
	mkdir -p "$folder/keda"
	cp "$folder/keys/ca.crt" "$folder/keda/ca.crt"
	cp "$folder/keys/keda.crt" "$folder/keda/tls.crt"
	cp "$folder/keys/keda.key" "$folder/keda/tls.key"
	POD_NAMESPACE=keda KEDA_CLUSTER_OBJECT_NAMESPACE=keda WATCH_NAMESPACE=''
	export POD_NAMESPACE KEDA_CLUSTER_OBJECT_NAMESPACE WATCH_NAMESPACE
	launch keda-operator --kubeconfig "$folder/kubeconfig" \
		--cert-dir "$folder/keda" --zap-encoder=console \
		--zap-time-encoding=rfc3339 \
		--metrics-service-bind-address "127.0.0.1:$((port + 6))" \
		--metrics-bind-address "127.0.0.1:$((port + 8))" \
		--health-probe-bind-address "127.0.0.1:$((port + 9))"
	launch keda-adapter --kubeconfig "$folder/kubeconfig" \
		--lister-kubeconfig "$folder/kubeconfig" \
		--authentication-kubeconfig "$folder/kubeconfig" \
		--authorization-kubeconfig "$folder/kubeconfig" \
		--bind-address 127.0.0.1 --secure-port $((port + 7)) \
		--port $((port + 10)) --client-ca-file "$folder/keys/ca.crt" \
		--tls-cert-file "$folder/keda/tls.crt" \
		--tls-private-key-file "$folder/keda/tls.key" --cert-dir "$folder/keda" \
		--metrics-service-address "localhost:$((port + 6))"
	ask apply -f - >>"$folder/kubectl.log" 2>&1 <<-END
	{apiVersion: v1, kind: Namespace, metadata: {name: keda}}
	---
	apiVersion: v1
	kind: Service
	metadata: {name: keda-metrics-apiserver, namespace: keda}
	spec: {type: ExternalName, externalName: localhost, ports: [{port: $((port + 7))}]}
	---
	apiVersion: apiregistration.k8s.io/v1
	kind: APIService
	metadata: {name: v1beta1.external.metrics.k8s.io}
	spec:
	  service: {name: keda-metrics-apiserver, namespace: keda, port: $((port + 7))}
	  group: external.metrics.k8s.io
	  version: v1beta1
	  groupPriorityMinimum: 100
	  versionPriority: 100
	  caBundle: $(base64 -w 0 "$folder/keys/ca.crt")
	END
	wait_for 'keda-operator keda-adapter' \
		ask get --raw /apis/external.metrics.k8s.io/v1beta1
}

node() {
	certificate kubelet /O=system:nodes/CN=system:node:localhost \
		DNS:localhost,IP:127.0.0.1
	certificate keda /CN=keda \
		DNS:localhost,IP:127.0.0.1,DNS:keda-metrics-apiserver.keda.svc
	node_files
	launch_containerd || failed "containerd does not start" "$folder/containerd.log"
	pause_image || failed "the pause image cannot be made" "$folder/ctr.log"
	make_bridge || failed "the bridge $node_name cannot be made"
	launch_controllers
	launch_kubelet || failed "the node does not start" "$folder/kubelet.log"
	launch_keda || failed "KEDA does not start" "$folder"/keda-*.log
}

# The kubelet ends the pods as long as it runs; what is left is ended by force.
node_stop() {
	[ -e "$folder/settings" ] || return 0
	for program in keda-operator keda-adapter kube-scheduler kube-controller-manager; do
		end "$folder/$program.pid"
	done
	running kubelet containerd kube-apiserver && {
		ask delete pods --all --all-namespaces --grace-period 1 --timeout 30s
	} >>"$folder/kubectl.log" 2>&1
	end "$folder/kubelet.pid"
	running containerd || launch_containerd
	for container in $(containers containers ls -q); do
		containers task kill -s KILL "$container"
		containers task delete -f "$container"
		containers containers rm "$container"
	done >>"$folder/ctr.log" 2>&1
	end "$folder/containerd.pid"
	# what is left of the pods and of their shims
	cgroup_folders | while read -r top; do
		find "$top" -name cgroup.procs -exec cat '{}' + 2>/dev/null
	done | sort -u | xargs -r kill -KILL 2>/dev/null
	for path in $(grep -ls -e "$folder/run/containerd.sock" /proc/[0-9]*/cmdline); do
		name=$(readlink "${path%/*}/exe")
		[ "${name##*/}" != containerd-shim-runc-v2 ] ||
			kill -KILL "$(basename "${path%/*}")"
	done
	findmnt -rno TARGET | grep "^$folder/" | sort -r | xargs -r umount
	ip link delete $node_name 2>/dev/null
	cgroup_folders | while read -r top; do
		find "$top" -depth -type d -exec rmdir '{}' + 2>/dev/null
	done
	while read -r setting value; do
		echo "$value" >"/proc/sys/$setting"
	done <"$folder/settings"
	xargs -r rm -rf <"$folder/absent"
	rm -f "$folder/settings" "$folder/absent"
}
