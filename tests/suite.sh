#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests the package on another release of Debian: builds it there, runs tests/package.sh there, and installs it in two
# containers that boot this release. Needs root, /dev/net/tun and the network.
#
#   sh tests/suite.sh SUITE BUILD    SUITE is the code name, such as trixie; BUILD is a build folder of this host, whose
#                                    adit makes the files of the network and runs the third host
#
# Prints one verdict per check. The exit code is 1 if a check failed.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh

[ $# = 2 ] && [ -d "$2" ] || die "usage: suite.sh SUITE BUILD; see the head of this file"
suite=$1
build=$(realpath "$2")
need_root
packages_install demo test
# The mounts of this script disappear with its namespace.
[ -n "${ADIT_SUITE_NAMESPACE-}" ] ||
	exec env ADIT_SUITE_NAMESPACE=1 unshare --mount --propagation private sh "$0" "$@"
work=$(mktemp -d)
root=$work/debian
trap 'debian_umount "$root"; rm -rf --one-file-system "$work"' EXIT

# expect STATEMENT COMMAND...: one verdict; the output of a command that fails is printed
expect() {
	statement=$1
	shift
	if "$@" >"$work/log" 2>&1 </dev/null; then
		echo "ok suite: $suite: $statement"
	else
		tail -n 30 "$work/log" | sed 's/^/    | /'
		echo "not ok suite: $suite: $statement"
		exit 1
	fi
}

in_root() {
	debian_run "$root" "$@"
}

mkdir "$work/src" "$work/packages"
tar --exclude='./build*' --exclude=./.git -c . | tar -x -C "$work/src"
# The Debian of tests/builds.sh; debootstrap cannot resolve the dependencies of all packages.
base=$(debian_base builds "$suite" "$(echo $(packages_of demo) clang libcmocka-dev netbase wireguard-tools | tr ' ' ,)")
debian_mount "$base" "$root"
mkdir "$root/src" "$root/packages"
mount --bind "$work/src" "$root/src"
mount --bind "$work/packages" "$root/packages"
mount --rbind /sys "$root/sys"

expect "adit builds" in_root sh -c 'cmake -S /src -B /build -DCMAKE_BUILD_TYPE=Release -DADIT_TESTS=OFF &&
	cmake --build /build -j "$(nproc)"'
failed=0
debian_run "$root" sh /src/tests/package.sh /build || failed=1
for release in 1 2; do
	expect "cpack makes release $release" in_root sh -c \
		"cd /build && cpack -G DEB -B /packages -D CPACK_DEBIAN_PACKAGE_RELEASE=$release"
done
ADIT_SUITE=$suite ADIT_PACKAGES=$work/packages python3 tests/netns/run.py --adit "$build/adit" --label "$suite " \
	hosts/ readme/from_the_package || failed=1
exit $failed
