# SPDX-License-Identifier: MIT
"""
The unit adit@.service under systemd, which is process 1 of a container with its own network namespace.

    left (container)  192.0.2.1  ----  right  192.0.2.2
    adit@tun-left  10.7.0.1            tun-right  10.7.0.2, and 203.0.113.7 on lo
"""

import json
import os
import shutil

from container import Container
from ends import pair
from lab import case, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT_FILE = os.path.join(HERE, "..", "..", "systemd", "adit@.service")
UNIT = "adit@tun-left"
BEYOND = "203.0.113.7"


def lay(lab):
    """Returns left, which systemd will run in the container, right, which runs, and the container, ready to boot."""
    left, right = pair(lab, start=False)
    left.settings |= {"Workers": 2, "TunBackend": "io_uring"}
    left.peers[0]["AllowedIPs"] += ", 0.0.0.0/0"
    right.node.run(f"ip address add {BEYOND} dev lo")
    right.start()
    left.node.run("ip route add default via 192.0.2.2")
    container = Container(left.node)
    shutil.copy(lab.adit, f"{container.root}/usr/bin/adit")
    shutil.copy(UNIT_FILE, f"{container.root}/etc/systemd/system/adit@.service")
    os.mkdir(f"{container.root}/etc/adit")
    shutil.copy(left.write(), f"{container.root}/etc/adit/tun-left.conf")
    return left, right, container


@case(slow=True, seconds=600)
def life(lab):
    left, right, container = lay(lab)
    with container.booted():
        check_start(lab, left, right, container)
        check_reload(lab, left, right, container)
        check_kill(lab, left, right, container)
        check_stop(lab, left, container)
        check_broken(lab, container)


def check_start(lab, left, right, container):
    with lab.check("start returns when adit is ready: the link is up and has its address"):
        container.start(UNIT)
        link = left.node.json("ip -j address show tun-left")[0]
        assert "UP" in link["flags"] and left.v4 in [address["local"] for address in link["addr_info"]], link
    with lab.check("traffic flows both ways, also to addresses behind the peer"):
        left.node.ping(right.v4)
        right.node.ping(left.v4)
        left.node.ping(BEYOND)
    with lab.check("the sandbox of the unit allows src_valid_mark and the nft rules"):
        assert left.node.get("net/ipv4/conf/all/src_valid_mark") == "1"
        assert "tun-left" in left.node.run("nft list ruleset").stdout
    with lab.check("the sandbox of the unit allows io_uring and the steering of packets to workers"):
        log = container.run(f"journalctl --no-pager --unit {UNIT}")
        assert "io_uring, 2 workers" in log and "cannot be had" not in log and "no steering" not in log, log


def check_reload(lab, left, right, container):
    file, process = f"{container.root}/etc/adit/tun-left.conf", container.property(UNIT, "MainPID")

    def shown():
        tunnel = json.loads(container.run("adit show tun-left --json"))["interfaces"][0]
        return tunnel["peers"][0].get("persistent_keepalive")

    with lab.check("reload: a change takes effect in the same process"):
        before = shown()
        left.peers[0]["PersistentKeepalive"] = 21
        shutil.copy(left.write(), file)
        container.run(f"systemctl reload {UNIT}")
        assert (before, shown()) == (None, 21), (before, shown())
        assert container.property(UNIT, "MainPID") == process
        left.node.ping(right.v4)
    with lab.check("reload of a broken file: refused, the journal has file and line, and nothing changes"):
        with open(file) as text:
            good = text.read()
        with open(file, "w") as text:
            text.write(good.replace("PersistentKeepalive = 21", "PersistentKeepalive = soon"))
        line = good[:good.index("PersistentKeepalive")].count("\n") + 1
        container.run(f"systemctl reload {UNIT}", check=False)
        journal = container.journal(UNIT)
        assert f"/etc/adit/tun-left.conf:{line}: " in journal and "Reload failed" in journal, journal
        assert container.property(UNIT, "ActiveState") == "active" and shown() == 21
        assert container.property(UNIT, "MainPID") == process
        left.node.ping(right.v4)
        with open(file, "w") as text:
            text.write(good)


def check_kill(lab, left, right, container):
    with lab.check("after SIGKILL systemd starts it again, and traffic flows"):
        before = container.property(UNIT, "MainPID")
        container.run(f"systemctl kill --kill-whom=main --signal=KILL {UNIT}")
        wait_for(lambda: container.property(UNIT, "ActiveState") == "active"
                 and container.property(UNIT, "MainPID") not in (before, "0"), "a new start")
        assert container.property(UNIT, "NRestarts") == "1"
        left.node.ping(BEYOND)
        right.node.ping(left.v4)


def check_stop(lab, left, container):
    with lab.check("stop: inactive without a failure, and the link is deleted"):
        container.run(f"systemctl stop {UNIT}")
        assert container.property(UNIT, "ActiveState") == "inactive"
        assert container.property(UNIT, "Result") == "success"
        assert not left.node.has_link("tun-left")


def check_broken(lab, container):
    with lab.check("start with a broken file: failed, and the journal has file and line"):
        with open(f"{container.root}/etc/adit/broken.conf", "w") as file:
            file.write("[Interface]\nPrivateKey = short\n")
        container.run("systemctl start adit@broken", check=False)
        wait_for(lambda: container.property("adit@broken", "ActiveState") == "failed", "failed")
        assert container.property("adit@broken", "NRestarts") == "0"
        journal = container.journal("adit@broken")
        assert "/etc/adit/broken.conf:2: " in journal, journal


@case(slow=True, seconds=600)
def ready(lab):
    """A slow start: systemd considers the unit active when adit sends READY=1, not before."""
    left, right, container = lay(lab)
    drop_in = f"{container.root}/etc/systemd/system/adit@.service.d"
    os.mkdir(drop_in)
    with open(f"{drop_in}/late.conf", "w") as file:
        file.write("[Service]\nExecStart=\nExecStart=/bin/sh -c 'sleep 5; exec adit run /etc/adit/%i.conf'\n")
    with container.booted():
        with lab.check("activating until READY=1, then active"):
            container.run(f"systemctl start --no-block {UNIT}")
            wait_for(lambda: container.property(UNIT, "ActiveState") == "activating", "activating")
            assert not left.node.has_link("tun-left")
            wait_for(lambda: container.property(UNIT, "ActiveState") == "active", "active")
            left.node.ping(right.v4)
