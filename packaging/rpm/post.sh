# SPDX-License-Identifier: MIT
# Runs after the files of a new version are in place.
if [ -e /usr/lib/sysusers.d/adit.conf ] && [ -x /usr/bin/systemd-sysusers ]; then
	systemd-sysusers adit.conf || :
fi
if [ -e /usr/lib/tmpfiles.d/adit.conf ] && [ -x /usr/bin/systemd-tmpfiles ]; then
	systemd-tmpfiles --create adit.conf || :
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
fi
