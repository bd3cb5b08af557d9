#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks that the exposure score of the unit is at most 2.0. The argument is the top directory of the project.
set -eu
command -v systemd-analyze >/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp "$1/systemd/adit@.service" "$folder/"
systemd-analyze security --offline=true --threshold=20 "$folder/adit@.service" | tail -n 1
systemd-analyze security --offline=true --threshold=20 "$folder/adit@.service" >/dev/null
