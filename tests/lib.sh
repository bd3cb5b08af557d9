# SPDX-License-Identifier: MIT
# Shared by the scripts of this folder, which stand in the top folder of the project when they call it.

die() {
	echo "$*" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "this needs root: network namespaces, TUN devices, packages"
	[ -c /dev/net/tun ] || die "this needs /dev/net/tun"
}

# packages_of GROUP...: the names in tests/packages that this architecture has
packages_of() {
	architecture=$(dpkg --print-architecture)
	for group; do
		sed -n "s/^\([a-z0-9.+-]*\)  *$group\( *\| $architecture\)\$/\1/p" tests/packages
	done
}

# packages_install GROUP...: installs what is missing, and asks no package source when nothing is
packages_install() {
	missing=
	for package in $(packages_of "$@"); do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	echo "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
		cat "$log"
		rm -f "$log"
		die "apt-get failed"
	fi
	rm -f "$log"
}

# build FOLDER OPTION...: configures and builds there; shows what was said only when it fails
build() {
	folder=$1
	shift
	mkdir -p "$folder"
	if ! { cmake -S . -B "$folder" "$@" && cmake --build "$folder" -j "$(nproc)"; } >"$folder/build.log" 2>&1; then
		tail -n 40 "$folder/build.log"
		return 1
	fi
}
