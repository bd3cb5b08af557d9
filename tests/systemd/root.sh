#!/bin/sh
# SPDX-License-Identifier: MIT
# Creates the root directory of the container and prints its path: a minimal Debian with systemd and the libraries that
# adit links. It is of the same release as the host, because it runs the host's adit. An existing directory is reused;
# its name contains a checksum of the list of packages.
set -eu
cd "$(dirname "$0")/../.."
. tests/lib.sh

suite=$(suite_of_host)
packages=$(packages_of container | paste -sd ,)
root=/var/cache/adit-tests/container-$suite-$(echo "$packages" | cksum | cut -d ' ' -f 1)
mkdir -p "${root%/*}"
exec 9>"$root.lock"
flock 9
if ! [ -e "$root/ready" ]; then
	rm -rf "$root"
	debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$(mirror_of_host)" >"$root.log" 2>&1 ||
		die "debootstrap: $(tail -n 1 "$root.log")"
	touch "$root/ready"
fi
echo "$root"
