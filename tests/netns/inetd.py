# SPDX-License-Identifier: MIT
"""
Does what systemd does for a socket unit with Accept=yes: starts a command for each connection.

    inetd.py PORT COMMAND...
"""

import signal
import socket
import subprocess
import sys


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        while True:
            client, _ = listener.accept()
            with client:
                subprocess.Popen(sys.argv[2:], stdin=client, stdout=client)


if __name__ == "__main__":
    main()
