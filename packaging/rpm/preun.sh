# SPDX-License-Identifier: MIT
# Runs before the files are removed. $1 is the number of versions that remain.
if [ "$1" -eq 0 ] && [ -d /run/systemd/system ]; then
	systemctl stop 'adit@*.service' 'adit-sweep@*.service' 'adit*.target' 'adit-*.socket' || :
fi
