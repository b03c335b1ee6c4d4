# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034 # what is set is for the tests
# Sourced after lib.sh by the tests that start containers: runc, with images of
# scripts/images, as a cluster that keeps to the restricted profile would:
# user and command as the image says, read-only root, no capabilities, no new
# privileges, seccomp, process 1 of a pid namespace of its own.
#
#	image worker               unpacks one to $T/images/worker
#	volume HOST CONTAINER [ro] for the containers to come
#	variable NAME=VALUE        likewise
#	network none|host|PATH     likewise; none has a loopback of its own
#	container NAME IMAGE - [ARG...]        the image's own command
#	container NAME IMAGE PROGRAM [ARG...]  ends with its exit status
#	start_container NAME ...   likewise, in the background; $STARTED is its runc,
#	                           which hands on what signals it gets
#
# What runs in a test is ended with it.
CONTAINERS=/agent-test-$$ # its cgroup
network=none
mkdir -p "$T/bundles" "$T/runc"
: >"$T/mounts"
: >"$T/variables"

RUNC=$(command -v runc)

runc() { "$RUNC" --root "$T/runc" "$@"; }
end_containers() {
	for bundle in "$T"/runc/*; do
		[ ! -d "$bundle" ] || runc delete --force "${bundle##*/}"
	done
	# a cgroup is empty a moment after its processes are gone
	for group in /sys/fs/cgroup/*"$CONTAINERS" /sys/fs/cgroup"$CONTAINERS"; do
		[ ! -d "$group" ] || await 2 rmdir "$group"
	done
	finish
}
trap end_containers EXIT

need_containers() { # or skips all
	need buildah jq runc
	[ "$(id -u)" -eq 0 ] || skip_all "containers: they take root"
	mountpoint -q /sys/fs/cgroup ||
		skip_all "containers: no cgroups are mounted at /sys/fs/cgroup"
	make_spec
	printf 'int main(void) { return 0; }\n' >"$T/nothing.c"
	mkdir -p "$T/images/nothing/rootfs"
	cc -O2 -static -o "$T/images/nothing/rootfs/nothing" "$T/nothing.c" &&
		echo '{"config":{"User":"65532:65532","Entrypoint":["/nothing"]}}' \
			>"$T/images/nothing/config.json" || exit 1
	container trial nothing - >"$OUT" 2>"$ERR" ||
		skip_all "containers: runc starts none here: $(tail -n 1 "$ERR")"
}

# The parts of the spec that all containers share. The profile of seccomp is the one
# that podman and containerd have as a default, for a process without capabilities.
make_spec() {
	(cd "$T/bundles" && rm -f config.json && runc spec)
	pivot=''
	mountpoint -q / || pivot=--no-pivot # in a chroot
	jq --slurpfile profile /usr/share/containers/seccomp.json --arg machine "$(uname -m)" '
		($machine | { x86_64: "amd64", aarch64: "arm64" }[.]) as $arch |
		"SCMP_ARCH_\($machine | ascii_upcase)" as $native |
		.process.terminal = false | .process.noNewPrivileges = true |
		.process.capabilities = { bounding: [], effective: [], permitted: [],
			inheritable: [], ambient: [] } |
		del(.process.rlimits) | .root.readonly = true |
		.mounts |= map(select(.type != "cgroup")) |
		.linux.seccomp = ($profile[0] | {
			defaultAction, defaultErrnoRet,
			architectures: [.archMap[] | select(.architecture == $native) |
				.architecture, .subArchitectures[]],
			syscalls: [.syscalls[] |
				select((.includes.caps // []) == [] and
				    ((.includes.arches // [$arch]) | index($arch))) |
				del(.includes, .excludes, .comment) |
				if .args == null or .args == [] then del(.args) else . end |
				if .errnoRet == null then del(.errnoRet) else . end]
		})' "$T/bundles/config.json" >"$T/spec.json"
}

image() { # image NAME: unpacked, as the registry would give it
	folder=$T/images/$1
	mkdir -p "$folder/rootfs"
	buildah inspect --type image "localhost/agent-$1:dev" >/dev/null 2>&1 ||
		skip_all "images: there is no agent-$1, run scripts/images build"
	buildah push -q "localhost/agent-$1:dev" "dir:$folder/pushed" >/dev/null || exit 1
	cp "$folder/pushed/$(jq -r '.config.digest | ltrimstr("sha256:")' \
		"$folder/pushed/manifest.json")" "$folder/config.json"
	for layer in $(jq -r '.layers[].digest | ltrimstr("sha256:")' "$folder/pushed/manifest.json"); do
		tar -C "$folder/rootfs" --numeric-owner -xpf "$folder/pushed/$layer" || exit 1
	done
}

volume() { printf '%s\t%s\t%s\n' "$1" "$2" "${3:-rw}" >>"$T/mounts"; }
variable() { echo "$1" >>"$T/variables"; }
network() { network=$1; }

bundle() { # bundle NAME IMAGE -|PROGRAM [ARG...]
	mkdir -p "$T/bundles/$1"
	jq --slurpfile image "$T/images/$2/config.json" --arg name "$1" --arg network "$network" \
		--arg root "$T/images/$2/rootfs" --arg group "$CONTAINERS/$1" \
		--rawfile mounts "$T/mounts" --rawfile variables "$T/variables" '
		def lines: split("\n") | map(select(. != ""));
		$image[0].config as $own | $ARGS.positional[2:] as $words |
		.root.path = $root | .hostname = $name | .linux.cgroupsPath = $group |
		.process.args = (if $words[0] == "-" then
			$own.Entrypoint + (if ($words | length) > 1 then $words[1:]
				else $own.Cmd // [] end)
			else $words end) |
		(($own.User // "0") | split(":") | map(tonumber)) as $ids |
		.process.user = { uid: $ids[0], gid: ($ids[1] // 0) } |
		.process.env = ($own.Env // []) + ($variables | lines) |
		.process.cwd = ($own.WorkingDir // "/" | if . == "" then "/" else . end) |
		.mounts += [{ destination: "/tmp", type: "tmpfs", source: "tmpfs",
			options: ["nosuid", "nodev", "mode=1777"] }] |
		.mounts += [$mounts | lines[] | split("\t") | { destination: .[1],
			type: "bind", source: .[0],
			options: ["rbind", "nosuid", "nodev", .[2]] }] |
		if $network == "host" then
			.linux.namespaces |= map(select(.type != "network")) |
			.mounts |= map(if .type == "sysfs" then
				{ destination: "/sys", type: "bind", source: "/sys",
				  options: ["rbind", "nosuid", "noexec", "nodev", "ro"] }
				else . end)
		elif $network != "none" then
			.linux.namespaces |= map(if .type == "network" then
				. + { path: $network } else . end)
		else . end' --args -- "$@" <"$T/spec.json" >"$T/bundles/$1/config.json"
}

container() {
	bundle "$@" || return 1
	# shellcheck disable=SC2086 # an option or none
	runc run $pivot --bundle "$T/bundles/$1" "$1"
}

start_container() {
	bundle "$@" || return 1
	# shellcheck disable=SC2086
	start "$RUNC" --root "$T/runc" run $pivot --bundle "$T/bundles/$1" "$1"
}
