# SPDX-License-Identifier: MIT
# Functions for the scripts of this directory. The scripts run in the top directory of the project.

# The packages belong to Debian's programs. Another python3, such as that of pyenv, lacks their modules.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PATH

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
	# A configuration file that exists stays, without a question.
	if ! { apt-get update && apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold $missing
		} >"$log" 2>&1 </dev/null; then
		cat "$log"
		rm -f "$log"
		die "apt-get failed"
	fi
	rm -f "$log"
}

# debian_base LABEL SUITE PACKAGES: prints the folder of a minimal Debian with some more packages, a list with commas. It is
# made once, and again when the list changes.
debian_base() {
	base=/var/cache/adit-tests/$1-$2-$(echo "$3" | cksum | cut -d ' ' -f 1)
	mkdir -p "${base%/*}"
	(
		flock 9
		[ ! -e "$base/ready" ] || exit 0
		rm -rf "$base"
		debootstrap --variant=minbase ${3:+"--include=$3"} "$2" "$base" "$(mirror_of_host)" >"$base.log" 2>&1 ||
			die "debootstrap: $(tail -n 1 "$base.log")"
		touch "$base/ready"
	) 9>"$base.lock" || return 1
	echo "$base"
}

# debian_mount BASE FOLDER: mounts a Debian on the folder. Changes are lost with the mount namespace of the caller.
debian_mount() {
	mkdir -p "$2" "$2.layers"
	mount -t tmpfs tmpfs "$2.layers"
	mkdir "$2.layers/upper" "$2.layers/work"
	mount -t overlay overlay -o "lowerdir=$1,upperdir=$2.layers/upper,workdir=$2.layers/work" "$2"
	mount --bind /dev "$2/dev"
	mount --bind /dev/pts "$2/dev/pts"
	mount -t proc proc "$2/proc"
	mount -t tmpfs tmpfs "$2/run"
	cp -L /etc/resolv.conf "$2/etc/resolv.conf"
	apt-config dump | grep '^Acquire::http' >"$2/etc/apt/apt.conf.d/99host" || true # the proxies of this host
}

debian_umount() {
	for mount in "$1" "$1.layers"; do
		! mountpoint -q "$mount" || umount --recursive "$mount"
	done
}

# debian_run FOLDER COMMAND...: runs a command in a mounted Debian
debian_run() {
	folder=$1
	shift
	chroot "$folder" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} "$@"
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
