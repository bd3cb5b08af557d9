# SPDX-License-Identifier: MIT
"""
The unit adit@.service under systemd, which is process 1 of a container with its own network namespace.

    left (container)  192.0.2.1  ----  right  192.0.2.2
    adit@tun-left  10.7.0.1            tun-right  10.7.0.2, and 203.0.113.7 on lo
"""

import json
import os
import shutil
import time

from container import Container
from ends import PORT, pair
from lab import case, wait_for
from leaks import Leaks
from life import changes, network_state
from restart import RECOVERY, Monitor, answers_at
from traffic import MIB, Flow

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT_FILES = os.path.join(HERE, "..", "..", "systemd")
UNIT, SWEEP = "adit@tun-left", "adit-sweep@tun-left"
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
    for name in "adit@.service", "adit-sweep@.service", "adit.target":
        shutil.copy(os.path.join(UNIT_FILES, name), f"{container.root}/etc/systemd/system/{name}")
    os.mkdir(f"{container.root}/etc/adit")
    shutil.copy(left.write(), f"{container.root}/etc/adit/tun-left.conf")
    return left, right, container


@case(slow=True)
def life(lab):
    left, right, container = lay(lab)
    with container.booted():
        check_start(lab, left, right, container)
        check_journal(lab, left, right, container)
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


def check_journal(lab, left, right, container):
    """The journal of systemd, and not that of a test, understands the entries."""
    def entries(*words):
        output = container.run(["journalctl", "--no-pager", "--output=json", *words], check=False)
        return [json.loads(line) for line in output.splitlines() if line.startswith("{")]

    with lab.check("the journal has the interface and the peer of a line, its priority, and its unit"):
        container.run("adit log debug tun-left")
        left.node.run("ip link set tun-left down")  # this ends the session
        wait_for(lambda: not left.node.run(f"ping -n -q -c 1 -W 1 {right.v4}", check=False).returncode, "a handshake")
        found = wait_for(lambda: [entry for entry in entries(f"ADIT_PEER={right.public}", "ADIT_INTERFACE=tun-left")
                                  if "handshake completed" in entry["MESSAGE"]], "the handshake in the journal")[0]
        assert found["ADIT_PEER_KEY"] == right.public and found["_TRANSPORT"] == "journal", found
        assert found["PRIORITY"] == "7" and found["SYSLOG_IDENTIFIER"] == "adit", found
        assert found["_SYSTEMD_UNIT"] == f"{UNIT}.service", found
        container.run("adit log info tun-left")
    with lab.check("the last line of a process that fails is one of its unit"):
        with open(f"{container.root}/etc/adit/second.conf", "w") as file:
            file.write(left.text().replace(left.private, right.private))
        container.run("systemctl start adit@second", check=False)
        wait_for(lambda: any("UDP port" in entry["MESSAGE"] and entry["PRIORITY"] == "3"
                             for entry in entries("--unit=adit@second", "ADIT_INTERFACE=second")), "the failure")
        container.run("systemctl stop adit@second", check=False)


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
    with lab.check("stop: inactive without a failure, the link is deleted, and the store is empty"):
        container.run(f"systemctl stop {UNIT}")
        assert container.property(UNIT, "ActiveState") == "inactive"
        assert container.property(UNIT, "Result") == "success"
        assert not left.node.has_link("tun-left")
        assert container.property(UNIT, "NFileDescriptorStore") == "0"


def check_broken(lab, container):
    with lab.check("start with a broken file: failed, and the journal has file and line"):
        with open(f"{container.root}/etc/adit/broken.conf", "w") as file:
            file.write("[Interface]\nPrivateKey = short\n")
        container.run("systemctl start adit@broken", check=False)
        wait_for(lambda: container.property("adit@broken", "ActiveState") == "failed", "failed")
        assert container.property("adit@broken", "NRestarts") == "0"
        journal = container.journal("adit@broken")
        assert "/etc/adit/broken.conf:2: " in journal, journal
    with lab.check("start without the file of a credential: failed, and it is not tried again"):
        drop_in = f"{container.root}/etc/systemd/system/adit@secret.service.d"
        os.mkdir(drop_in)
        with open(f"{drop_in}/key.conf", "w") as file:
            file.write("[Service]\nLoadCredential=key:/etc/adit/missing\n")
        container.run("systemctl daemon-reload")
        container.run("systemctl start adit@secret", check=False)
        wait_for(lambda: container.property("adit@secret", "ActiveState") == "failed", "failed")
        assert container.property("adit@secret", "NRestarts") == "0"
    with lab.check("start with a name that no interface can have: only this unit fails"):
        unit = "adit@sixteen-letters1"
        container.run(f"systemctl start {unit}", check=False)
        wait_for(lambda: container.property(f"adit-sweep@{unit[5:]}", "ActiveState") != "active", "the end of the sweep")
        failed = container.run("systemctl --failed --no-legend --plain")
        assert unit in failed and "adit-sweep" not in failed, failed


@case(slow=True)
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


@case(slow=True)
def ended_while_starting(lab):
    """systemd would start a process again that ends before READY=1, so adit down and adit stop stop the unit."""
    left, right, container = lay(lab)
    path = f"{container.root}/etc/adit/tun-left.conf"

    with container.booted():
        for count, point, verb in (1, "PreUp", "down"), (2, "PreUp", "stop"), (1, "PostUp", "down"), (2, "PostUp", "stop"):
            left.settings = {point: "sleep 1000"}
            shutil.copy(left.write(), path)
            with lab.check(f"adit {verb} during {point}: the unit stops, and is not started again"):
                container.run(f"systemctl start --no-block {UNIT}")
                wait_for(lambda: container.journal(UNIT).count(f"{point}: [#] sleep 1000") == count, "the hook")
                assert container.property(UNIT, "ActiveState") == "activating"
                text = container.run(["sh", "-c", f"adit {verb} tun-left 2>&1"])
                assert text == f"adit {verb}: `tun-left' was still starting; stopped {UNIT}.service", text
                time.sleep(1.5)
                states = [container.property(UNIT, name) for name in ("ActiveState", "Result", "NRestarts")]
                assert states == ["inactive", "success", "0"], states
                assert not left.node.has_link("tun-left")
        with lab.check("the unit starts as before"):
            left.settings = {}
            shutil.copy(left.write(), path)
            container.start(UNIT)
            left.node.ping(right.v4)
            container.run(f"systemctl stop {UNIT}")
        for point, verb in ("PreDown", "stop"), ("PostDown", "down"):
            left.settings = {point: "false"}
            shutil.copy(left.write(), path)
            with lab.check(f"adit {verb}, and {point} fails: so does the unit, and it is not started again"):
                container.start(UNIT)
                container.run(f"adit {verb} tun-left", check=False)
                wait_for(lambda: container.property(UNIT, "ActiveState") == "failed", "the end of the unit")
                states = [container.property(UNIT, name) for name in ("Result", "NRestarts")]
                assert states == ["exit-code", "0"], states
                assert not left.node.has_link("tun-left")


# --- restarts ---

RESTARTS = {"systemctl restart": f"systemctl restart {UNIT}",
            "systemctl try-restart, as by an upgrade": f"systemctl try-restart {UNIT}",
            "kill -9": f"systemctl kill --kill-whom=main --signal=KILL {UNIT}"}


def new_process(container, before):
    return container.property(UNIT, "ActiveState") == "active" and container.property(UNIT, "MainPID") not in (before, "0")


@case(slow=True, bars=True)
def restarts(lab):
    left, right, container = lay(lab)
    state, monitor = network_state(left.node), Monitor(left.node)
    with container.booted():
        container.start(UNIT)
        left.node.ping(BEYOND)
        with lab.check("systemd stores 2 queues, 4 sockets, the claim and the endpoints"):
            wait_for(lambda: container.property(UNIT, "NFileDescriptorStore") == "8", "8 descriptors")
        monitor.forget()
        leaks = Leaks(left.node, BEYOND)
        flow = Flow(left.node, right.node, BEYOND, 20 * MIB)
        begin = time.time()
        for title, command in RESTARTS.items():
            before, received = container.property(UNIT, "MainPID"), flow.receiver.length
            with lab.check(f"{title}: a ping is answered, and TCP continues"):
                moment = time.monotonic()
                container.run(command)
                took = answers_at(left.node, BEYOND, moment)
                wait_for(lambda: new_process(container, before), "a new process")
                wait_for(lambda: flow.receiver.length > received + MIB, "more data", 300)
            lab.bar(f"{title}: a ping is answered within {RECOVERY} s", took, RECOVERY)
        with lab.check("nothing is missing at any time, and nothing leaves in the clear"):
            flow.stop()
            assert not monitor.removals(), monitor.removals()
            assert not leaks.since(begin), f"{len(leaks.since(begin))} packets"
            leaks.stop()
        with lab.check("systemctl stop leaves nothing"):
            container.run(f"systemctl stop {UNIT}")
            assert not changes(state, network_state(left.node)), changes(state, network_state(left.node))
            assert PORT not in left.node.udp_ports() and container.property(UNIT, "NFileDescriptorStore") == "0"
            assert container.run("ls /run/wireguard") == ""
        with lab.check("nor does a restart with a broken file"):
            container.start(UNIT)
            left.node.ping(BEYOND)
            with open(f"{container.root}/etc/adit/tun-left.conf", "a") as file:
                file.write("Nonsense\n")
            container.run(f"systemctl restart {UNIT}", check=False)
            wait_for(lambda: container.property(UNIT, "ActiveState") == "failed", "failed")
            assert not changes(state, network_state(left.node)), changes(state, network_state(left.node))
            assert container.property(UNIT, "NRestarts") == "0"
    monitor.stop()


def wait_for_sweep(container):
    wait_for(lambda: container.property(SWEEP, "ActiveState") == "inactive", "the end of the sweep")


@case(slow=True)
def stopped_before_the_restart(lab):
    """`systemctl stop` between kill -9 and the restart: no process of adit exists that could remove anything."""
    left, right, container = lay(lab)
    drop_in = f"{container.root}/etc/systemd/system/adit@.service.d"
    os.mkdir(drop_in)
    with open(f"{drop_in}/late.conf", "w") as file:
        file.write("[Service]\nRestartSec=2s\n")
    left.node.set("net/ipv4/conf/all/src_valid_mark", 1)
    state = network_state(left.node)
    monitor = Monitor(left.node)
    with container.booted():
        container.start(UNIT)
        left.node.ping(BEYOND)
        monitor.forget()
        for _ in range(2):
            before = container.property(UNIT, "MainPID")
            container.run(f"systemctl kill --kill-whom=main --signal=KILL {UNIT}")
            wait_for(lambda: container.property(UNIT, "SubState") == "auto-restart", "auto-restart")
            wait_for(lambda: new_process(container, before), "a new process")
        with lab.check("two restarts after kill -9: nothing is removed in between"):
            left.node.ping(BEYOND)
            assert not monitor.removals(), monitor.removals()
        container.run(f"systemctl kill --kill-whom=main --signal=KILL {UNIT}")
        wait_for(lambda: container.property(UNIT, "SubState") == "auto-restart", "auto-restart")
        container.run(f"systemctl stop {UNIT}")
        with lab.check("systemctl stop after kill -9 and before the restart: nothing is left"):
            wait_for(lambda: not changes(state, network_state(left.node)), "the removal")
            wait_for_sweep(container)
            assert container.property(UNIT, "ActiveState") == "inactive"
            assert "was killed; removed its network" in container.journal(SWEEP), container.journal(SWEEP)
            assert container.run("ls -A /run/wireguard") == ""
        with lab.check("start, restart and stop: the sweep finds nothing"):
            container.start(UNIT)
            left.node.ping(BEYOND)
            monitor.forget()
            container.run(f"systemctl restart {UNIT}")
            left.node.ping(BEYOND)
            assert container.property(SWEEP, "ActiveState") == "active"
            assert not monitor.removals(), monitor.removals()
            container.run(f"systemctl stop {UNIT}")
            wait_for_sweep(container)
            assert container.journal(SWEEP).count("was killed") == 1, container.journal(SWEEP)
            assert not changes(state, network_state(left.node)), changes(state, network_state(left.node))
        with lab.check("the journal has no error of systemd"):
            errors = container.run("journalctl --no-pager --quiet --priority=warning --grep=sweep", check=False)
            assert not errors, errors
    monitor.stop()


@case(slow=True)
def watchdog(lab):
    left, right, container = lay(lab)
    drop_in = f"{container.root}/etc/systemd/system/adit@.service.d"
    os.mkdir(drop_in)
    with open(f"{drop_in}/short.conf", "w") as file:
        file.write("[Service]\nWatchdogSec=2\n")
    with container.booted():
        container.start(UNIT)
        left.node.ping(BEYOND)
        with lab.check("the status shows the peers and the last handshake"):
            wait_for(lambda: "1 peer, 1 up, last handshake " in container.property(UNIT, "StatusText"), "the status")
        before = container.property(UNIT, "MainPID")
        with lab.check("a daemon that answers is not restarted"):
            time.sleep(3)
            assert container.property(UNIT, "MainPID") == before
        with lab.check("one whose loop is stopped is replaced, and traffic flows"):
            container.run(f"systemctl kill --kill-whom=main --signal=STOP {UNIT}")
            wait_for(lambda: new_process(container, before), "a new process")
            left.node.ping(BEYOND)
            assert "Watchdog timeout" in container.journal(UNIT), container.journal(UNIT)


@case(slow=True)
def target(lab):
    left, right, container = lay(lab)
    with container.booted():
        container.run(f"systemctl enable {UNIT}")
        with lab.check("adit.target starts, restarts and stops all tunnels that are enabled"):
            container.run("systemctl start adit.target")
            wait_for(lambda: container.property(UNIT, "ActiveState") == "active", "active")
            left.node.ping(BEYOND)
            index = left.node.json("ip -j link show tun-left")[0]["ifindex"]
            before = container.property(UNIT, "MainPID")
            container.run("systemctl restart adit.target")
            wait_for(lambda: new_process(container, before), "a new process")
            left.node.ping(BEYOND)
            assert left.node.json("ip -j link show tun-left")[0]["ifindex"] == index
            container.run("systemctl stop adit.target")
            wait_for(lambda: container.property(UNIT, "ActiveState") == "inactive", "inactive")
            assert not left.node.has_link("tun-left")
