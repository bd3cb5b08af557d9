#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds adit and runs its unit tests in several Debians: with gcc and clang, with and without the optional libraries, and
# for arm64. Needs root and the network. The Debians are made once and kept in /var/cache/adit-tests.
#
#   sh tests/builds.sh                  all of them
#   sh tests/builds.sh SUITE...         only some: bookworm trixie sid arm64
#
# Prints one verdict per build and per run of the unit tests. The exit code is 1 if one failed.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh

need_root
packages_install demo test
# The mounts of this script disappear with its namespace.
[ -n "${ADIT_BUILDS_NAMESPACE-}" ] ||
	exec env ADIT_BUILDS_NAMESPACE=1 unshare --mount --propagation private sh "$0" "$@"
[ $# -gt 0 ] || set -- bookworm trixie sid arm64
work=$(mktemp -d)
root=$work/debian
failed=0
trap 'debian_umount "$root"; rm -rf --one-file-system "$work"' EXIT

# All builds see the same sources, even if somebody edits them meanwhile.
mkdir "$work/src"
tar --exclude='./build*' --exclude=./.git -c . | tar -x -C "$work/src"
optional=$(packages_of demo | grep -x 'liburing-dev\|libipsec-mb-dev\|libqrencode-dev\|libncurses-dev' | paste -sd ' ')

verdict() {
	if [ "$1" = 0 ]; then
		echo "ok builds: $2"
	else
		{ grep -E 'error: |ERROR|LINE|\*\*\*|undefined reference' "$work/log" | head -n 40 && tail -n 10 "$work/log"; } |
			sed 's/^/    | /'
		echo "not ok builds: $2"
		failed=1
	fi
}

# logged COMMAND...: runs a command in $root with its output in the log, and keeps its exit code in $code
logged() {
	code=0
	debian_run "$root" "$@" >"$work/log" 2>&1 </dev/null || code=$?
}

# mount_debian SUITE PACKAGE...
mount_debian() {
	suite=$1
	shift
	base=$(debian_base builds "$suite" "$(echo "$*" | tr ' ' ,)") || return 1
	debian_umount "$root"
	debian_mount "$base" "$root"
	mkdir "$root/src"
	mount --bind -o ro "$work/src" "$root/src"
	mount --rbind /sys "$root/sys"
}

# build_and_test LABEL LAYERS OPTION...: LAYERS is a regular expression of the layers to be tested, or "all"
build_and_test() {
	label=$1
	layers=$2
	shift 2
	rm -rf "$root/build"
	logged sh -c 'cmake -S /src -B /build -DCMAKE_BUILD_TYPE=Release -DADIT_WERROR=ON "$@" && cmake --build /build -j "$(nproc)"' \
		sh "$@"
	verdict $code "$label: builds"
	[ $code = 0 ] || return 0
	logged ctest --test-dir /build -j "$(nproc)" --output-on-failure $([ "$layers" = all ] || echo "-L $layers")
	verdict $code "$label: unit tests pass ($(sed -n 's/.*tests passed, .* out of \([0-9]*\)/\1/p' "$work/log"))"
}

check_suite() {
	mount_debian "$1" $(packages_of demo) clang libcmocka-dev netbase wireguard-tools || {
		echo "not ok builds: $1: makes a Debian"
		failed=1
		return 0
	}
	for compiler in gcc clang; do
		build_and_test "$1, $compiler" all -DCMAKE_C_COMPILER=$compiler
		build_and_test "$1, $compiler, optional libraries are off" all -DCMAKE_C_COMPILER=$compiler -DADIT_IO_URING=OFF \
			-DADIT_IPSEC_MB=OFF -DADIT_QRENCODE=OFF -DADIT_NCURSES=OFF
	done
	[ -z "$optional" ] || logged apt-get remove -y $optional
	build_and_test "$1, optional libraries are missing" '^(crypto|io|cli)$'
}

# A cross build for arm64. qemu has no netlink sockets and namespaces, so only the other layers are tested.
check_arm64() {
	mount_debian "$(suite_of_host)" cmake make pkg-config python3 ca-certificates qemu-user-static || return 1
	logged sh -c 'dpkg --add-architecture arm64 && apt-get update && apt-get install -y --no-install-recommends "$@"' sh \
		gcc-aarch64-linux-gnu pkgconf:arm64 libc6-dev-arm64-cross linux-libc-dev:arm64 libcmocka-dev:arm64 \
		$(packages_of demo | grep '^lib.*-dev$' | grep -v 'ipsec\|libc6\|linux' | sed 's/$/:arm64/')
	verdict $code "arm64: installs the libraries"
	build_and_test arm64 '^(base|packet|crypto|config)$' -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
		-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DPKG_CONFIG_EXECUTABLE=/usr/bin/aarch64-linux-gnu-pkg-config \
		-DCMAKE_CROSSCOMPILING_EMULATOR=/usr/bin/qemu-aarch64-static
}

for suite; do
	if [ "$suite" = arm64 ]; then
		check_arm64
	else
		check_suite "$suite"
	fi
done
exit $failed
