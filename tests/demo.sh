#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows on one machine what adit does: builds it, sets up a tunnel between two network namespaces, captures the traffic
# on the wire, sends 1 GiB through the tunnel, measures the rate, and ends with `adit show`. Needs root and Debian 12 or
# 13. Installs the missing packages of tests/packages.
#
#   sudo sh tests/demo.sh
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh

need_root
packages_install demo
build build-demo -DCMAKE_BUILD_TYPE=Release -DADIT_TESTS=OFF || die "the build failed"
exec python3 tests/netns/demo.py build-demo/adit
