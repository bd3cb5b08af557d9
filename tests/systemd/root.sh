#!/bin/sh
# SPDX-License-Identifier: MIT
# Creates the root directory of the container and prints its path: a minimal Debian with systemd and the libraries that
# adit links. It is of the same release as the host, because it runs the host's adit, unless ADIT_SUITE names another
# one; hosts.py then installs packages that were made for it. Arguments are more groups of tests/packages. An existing
# directory is reused; its name contains a checksum of the list of packages.
set -eu
cd "$(dirname "$0")/../.."
. tests/lib.sh

debian_base container "${ADIT_SUITE:-$(suite_of_host)}" "$(packages_of container "$@" | paste -sd ,)"
