# SPDX-License-Identifier: MIT
# Functions for the scripts of this directory. The scripts run in the top directory of the project.

die() {
	echo "$*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "$0 needs root to create network namespaces and TUN devices and to install packages"
	[ -c /dev/net/tun ] || die "$0 needs /dev/net/tun"
}

# suite_of_host: prints the code name of the Debian release of this host
suite_of_host() {
	sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

# mirror_of_host: prints the URL that this host downloads Debian from
mirror_of_host() {
	sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1 | grep . ||
		sed -n 's/^deb [^h]*\(http[^ ]*\).*/\1/p' /etc/apt/sources.list | head -n 1
}

# packages_of GROUP...: prints the packages of tests/packages that exist on this architecture
packages_of() {
	architecture=$(dpkg --print-architecture)
	for group; do
		sed -n "s/^\([a-z0-9.+-]*\)  *$group\( *\| $architecture\)\$/\1/p" tests/packages
	done
}

# packages_install GROUP...: installs missing packages. If none is missing, it does not use the network.
packages_install() {
	missing=
	for package in $(packages_of "$@"); do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	echo "installing packages:$missing"
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
		cat "$log"
		rm -f "$log"
		die "apt-get failed"
	fi
	rm -f "$log"
}

# build FOLDER OPTION...: configures and builds in the folder. Prints the end of the log if that fails.
build() {
	folder=$1
	shift
	mkdir -p "$folder"
	echo "building in $folder"
	if ! { cmake -S . -B "$folder" "$@" && cmake --build "$folder" -j "$(nproc)"; } >"$folder/build.log" 2>&1; then
		tail -n 40 "$folder/build.log"
		return 1
	fi
}
