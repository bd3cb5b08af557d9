#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows on one machine what adit does: builds it, lays a tunnel between two network namespaces, looks at the wire, and
# moves 1 GiB through it. Needs root and Debian 12; installs what is missing of tests/packages.
#
#   sudo sh tests/demo.sh
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh

need_root
packages_install demo
echo "building in build-demo"
build build-demo -DCMAKE_BUILD_TYPE=Release -DADIT_TESTS=OFF || die "the build failed"
exec python3 tests/netns/demo.py build-demo/adit
