# SPDX-License-Identifier: MIT
# Runs after the files of an old version are removed. $1 is the number of versions that remain.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	if [ "$1" -ge 1 ]; then
		systemctl try-restart 'adit@*.service' || :
	fi
fi
