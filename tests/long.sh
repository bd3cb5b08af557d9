#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the tests that take too long for tests/run.sh. Needs root, Debian 12 or 13, and the network.
#
#   sh tests/long.sh           all of them
#   sh tests/long.sh NAME...   only some: package builds suite
#
# Prints verdicts as tests/run.sh does. The exit code is 1 if a test failed.
set -u
cd "$(dirname "$0")/.."
. tests/lib.sh

package() {
	build build-package -DCMAKE_BUILD_TYPE=Release -DADIT_TESTS=OFF && sh tests/package.sh build-package
}

# The package on the other supported release of Debian.
suite() {
	other=trixie
	[ "$(suite_of_host)" != trixie ] || other=bookworm
	build build-package -DCMAKE_BUILD_TYPE=Release -DADIT_TESTS=OFF && sh tests/suite.sh $other build-package
}

builds() {
	sh tests/builds.sh
}

need_root
packages_install demo test long
[ $# -gt 0 ] || set -- package builds suite
failed=0
for name; do
	echo "== $name"
	"$name" || failed=1
done
exit $failed
