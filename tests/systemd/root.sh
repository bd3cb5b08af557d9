#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the root folder of the container, a minimal Debian 12 with systemd and what adit links, and says where it is. It
# is made once: its name holds a sum of the list of packages.
set -eu
cd "$(dirname "$0")/../.."
. tests/lib.sh

packages=$(packages_of container | paste -sd ,)
root=/var/cache/adit-tests/container-$(echo "$packages" | cksum | cut -d ' ' -f 1)
mkdir -p "${root%/*}"
exec 9>"$root.lock"
flock 9
if ! [ -e "$root/ready" ]; then
	mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
	[ -n "$mirror" ] || mirror=$(sed -n 's/^deb [^h]*\(http[^ ]*\).*/\1/p' /etc/apt/sources.list | head -n 1)
	rm -rf "$root"
	debootstrap --variant=minbase --include="$packages" bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
		die "debootstrap: $(tail -n 1 "$root.log")"
	touch "$root/ready"
fi
echo "$root"
