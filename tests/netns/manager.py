# SPDX-License-Identifier: MIT
"""
A small service manager: it keeps the descriptors that a daemon stores (FDSTORE=1), and passes them to the next process,
as systemd does for a unit with FileDescriptorStoreMax=. A script takes the place of systemctl(1).
"""

import os
import secrets
import shutil
import signal
import socket
import threading

from container import HIERARCHIES
from lab import wait_for

FIRST = 3  # the number of the first descriptor that is passed; see sd_listen_fds(3)
STORE_MAX = 128
SYSTEMCTL = """#!/bin/sh
for unit; do :; done
[ "$unit" = "{unit}" ] || exit 1
case "$*" in
*list-jobs*)
    [ -e {folder}/hit ] || {{ touch {folder}/hit; kill -TERM $$; }} # systemd hits the first one, too
    cat {folder}/job ;;
*NFileDescriptorStore*) cat {folder}/stored ;;
esac
"""


class Manager:
    """Runs `adit run` of one end as a service. The daemon's cgroup has the name of its unit."""

    def __init__(self, end):
        self.end = end
        self.unit = f"adit@{end.interface}.service"
        self.folder = f"/run/manager-{end.interface}"
        self.store = []  # pairs of name and descriptor
        self.messages = []
        self.lock = threading.Lock()
        os.makedirs(f"{self.folder}/bin")
        with open(os.open(f"{self.folder}/bin/systemctl", os.O_WRONLY | os.O_CREAT, 0o755), "w") as script:
            script.write(SYSTEMCTL.format(unit=self.unit, folder=self.folder))
        self.set_job(None)
        self.cgroup = f"{next(top for top in HIERARCHIES if os.path.exists(f'{top}/cgroup.procs'))}/" \
                      f"adit-test-{secrets.token_hex(4)}/{self.unit}"
        os.makedirs(self.cgroup)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"{self.folder}/notify")
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        while True:
            text, fds, _, _ = socket.recv_fds(self.socket, 4096, 253)
            lines = dict(line.split("=", 1) for line in text.decode().splitlines())
            with self.lock:
                self.handle(lines, fds)
                self.messages.append(lines)

    def handle(self, lines, fds):
        name = lines.get("FDNAME")
        if lines.get("FDSTOREREMOVE") == "1":
            for entry in [entry for entry in self.store if entry[0] == name]:
                os.close(entry[1])
                self.store.remove(entry)
        if lines.get("FDSTORE") == "1":
            assert lines.get("FDPOLL") == "0" and len(self.store) + len(fds) <= STORE_MAX, lines
            self.store += [(name, fd) for fd in fds]
        else:
            for fd in fds:  # of BARRIER=1
                os.close(fd)
        with open(f"{self.folder}/stored", "w") as file:
            file.write(f"{len(self.store)}\n")

    def names(self):
        """Returns how many descriptors of each name are stored."""
        with self.lock:
            names = [name for name, _ in self.store]
        return {name: names.count(name) for name in sorted(set(names))}

    def set_job(self, job):
        """Sets the job of the unit that systemctl reports: "restart", "stop" or None."""
        with open(f"{self.folder}/job", "w") as file:
            file.write(f"  7 {self.unit} {job} running\n" if job else "")

    def start(self, wait=True):
        """Starts the daemon with the stored descriptors, and waits for READY=1."""
        end, lab = self.end, self.end.node.lab
        with self.lock:
            self.messages.clear()
            store = list(self.store)
        variables = {"NOTIFY_SOCKET": f"{self.folder}/notify", "PATH": f"{self.folder}/bin:{os.environ['PATH']}"}
        if store:
            variables |= {"LISTEN_FDS": str(len(store)), "LISTEN_FDNAMES": ":".join(name for name, _ in store)}
        script = 'LISTEN_PID=$$ exec "$0" run "$1"'
        end.daemon = end.node.start(end.interface, ["sh", "-c", script, lab.adit, end.write()],
                                    dump_signal=signal.SIGUSR1, env={**os.environ, **variables}, close_fds=False,
                                    preexec_fn=lambda: self.prepare([fd for _, fd in store]))
        if wait:
            wait_for(self.is_ready, f"{end.interface}: READY=1")

    def prepare(self, fds):
        """Runs in the child. Moves the descriptors out of the way first, because their new numbers may be in use."""
        with open(f"{self.cgroup}/cgroup.procs", "w") as file:
            file.write("0")
        high = [os.dup2(fd, 500 + number) for number, fd in enumerate(fds)]
        for number, fd in enumerate(high):
            os.dup2(fd, FIRST + number)
            os.close(fd)

    def is_ready(self):
        if not self.end.daemon.running():
            raise AssertionError(f"{self.end.interface} ended early: {self.end.daemon.tail()}")
        with self.lock:
            return any(lines.get("READY") == "1" for lines in self.messages)

    def restart(self):
        """Does the same as `systemctl restart`."""
        self.set_job("restart")
        code = self.end.daemon.stop()
        self.set_job(None)
        assert code == 0, f"exit code {code}"
        self.start()

    def kill(self):
        """kill -9. systemd then starts the daemon again, with Restart=on-failure."""
        self.end.daemon.stop(signal.SIGKILL)

    def stop(self):
        """Does the same as `systemctl stop`. Returns the exit code of the daemon."""
        self.set_job("stop")
        code = self.end.daemon.stop()
        self.set_job(None)
        return code

    def discard(self):
        """systemd discards the store when the unit has been stopped or has failed for good."""
        with self.lock:
            for _, fd in self.store:
                os.close(fd)
            self.store.clear()

    def close(self):
        for folder in self.cgroup, os.path.dirname(self.cgroup):
            os.rmdir(folder)
        shutil.rmtree(self.folder)
