# SPDX-License-Identifier: MIT
"""
The life cycle of a bare device: signals, control socket, link, inherited descriptors, and running in the background.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
"""

import itertools
import os
import signal
import socket
import stat
import subprocess
import time

from device import check_padding, data_message
from ends import IFF_VNET_HDR, PORT, AditDevice, devices
from lab import case, wait_for
from traffic import MIB, both_ways

FOLDER = "/var/run/wireguard"
HANDSHAKE = 148 + 92


def alone(lab):
    """Returns a device without peers that has not been started."""
    return AditDevice(lab.node("left"), "tun-left", ["10.7.0.1/24"])


def processes(program):
    """Returns the number of processes of this case that run a program."""
    found = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += os.path.samefile(f"/proc/{pid}/exe", program)
        except OSError:  # the process has ended, or is a zombie
            pass
    return found


def check_gone(end):
    assert not end.node.has_link(end.interface), "the link is left"
    assert not os.path.exists(end.control_path), "the socket is left"
    assert not end.node.udp_ports(), f"UDP ports {end.node.udp_ports()} are left"


ENDINGS = {"SIGTERM": lambda end: end.daemon.process.send_signal(signal.SIGTERM),
           "SIGINT": lambda end: end.daemon.process.send_signal(signal.SIGINT),
           "link deleted": lambda end: end.node.run(f"ip link del {end.interface}"),
           "socket removed": lambda end: os.unlink(end.control_path)}


@case()
def endings(lab):
    left, right = devices(lab, "adit+adit")
    for title, finish in ENDINGS.items():
        with lab.check(f"{title}: exit code 0, and nothing is left"):
            left.node.ping(right.v4)
            finish(left)
            code = left.daemon.wait()
            assert code == 0, f"exit code {code}"
            check_gone(left)
        left.start()
    with lab.check("the device works after the last start"):
        left.node.ping(right.v4)


@case()
def control_socket(lab):
    end = alone(lab)
    with lab.check("everybody may list the directory, only root may open the socket"):
        end.launch()
        assert stat.S_IMODE(os.stat(FOLDER).st_mode) == 0o755
        assert stat.S_IMODE(os.stat(end.control_path).st_mode) == 0o600
    with lab.check("a bare device has one inotify instance"):
        assert end.daemon.inotify_instances() == 1
        end.stop()
    with lab.check("a stale socket is replaced"):
        socket.socket(socket.AF_UNIX).bind(end.control_path)
        end.launch()
        end.stop()
        check_gone(end)
    with lab.check("a socket in use stays, and the start fails"), socket.socket(socket.AF_UNIX) as living:
        living.bind(end.control_path)
        living.listen()
        check_refused(end)
        assert os.path.exists(end.control_path), "the socket in use was removed"
    os.unlink(end.control_path)
    with lab.check("if another process replaces the socket, the daemon exits and leaves the new socket alone"):
        end.launch()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(f"{FOLDER}/other")
            other.listen()
            os.rename(f"{FOLDER}/other", end.control_path)
            assert end.daemon.wait() == 0
            assert os.path.exists(end.control_path), "the socket of the other process was removed"


def check_refused(end):
    """Requires that a start under this name fails with a one-line message and leaves no link."""
    done = end.node.run([*end.program(), "-f", end.interface], check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and len(lines) == 1 and end.interface in lines[0], done.stderr
    assert not end.node.has_link(end.interface), "a link is left"


@case()
def races(lab):
    """Two daemons start under the same name at the same time. One of them succeeds."""
    end, elsewhere = alone(lab), lab.node("right")
    for title, nodes in ("in one namespace", (end.node, end.node)), ("in two namespaces", (end.node, elsewhere)):
        with lab.check(f"two starts at the same time {title}: one runs, the other reports why not, 10 times"):
            for _ in range(10):
                race(end, nodes)


def race(end, nodes):
    rivals = [node.start(f"rival-{number}", [*end.program(), "-f", end.interface]) for number, node in enumerate(nodes)]
    ended = wait_for(lambda: [rival for rival in rivals if not rival.running()], "the end of one daemon")
    assert len(ended) == 1, "both daemons ended"
    assert ended[0].wait() == 1 and end.interface in ended[0].log(), f"{ended[0].wait()}: {ended[0].log()}"
    living = next(rival for rival in rivals if rival not in ended)
    end.node.run(["wg", "set", end.interface, "listen-port", "1234"])
    time.sleep(0.05)
    assert living.running(), living.log()
    links = sum(node.has_link(end.interface) for node in set(nodes))
    assert links == 1, f"{links} links"
    assert living.stop() == 0


@case()
def link_up_and_down(lab):
    left, right = devices(lab, "adit+adit", start=False)
    right.start()
    with lab.check("no UDP port before the link is up"):
        left.launch()
        assert not left.node.udp_ports(), left.node.udp_ports()
    with lab.check("link up: IPv4 and IPv6 use one random port, which survives down and up"):
        left.link("up")
        port = wait_for(lambda: int(left.wg("show", "listen-port")), "a port")
        assert left.node.udp_ports() == [port, port], left.node.udp_ports()
        left.link("down")
        wait_for(lambda: not left.node.udp_ports(), "no port")
        left.link("up")
        wait_for(lambda: left.node.udp_ports() == [port, port], f"port {port}")
    with lab.check("the port can change while the link is up"):
        left.configure()
        assert left.node.udp_ports() == [PORT, PORT], left.node.udp_ports()
        left.node.ping(right.v4)
    with lab.check("a port in use is refused, and the old port stays"):
        with left.node.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken.bind(("::", 40000))
            done = left.node.run(f"wg set {left.interface} listen-port 40000", check=False)
            assert done.returncode and "in use" in done.stderr, done
        assert left.node.udp_ports() == [PORT, PORT], left.node.udp_ports()
        left.node.ping(right.v4)
    with lab.check("down wipes the session keys, so a new handshake follows up"):
        ping = data_message(84)
        before = sum(left.transfer(right))
        restart(left, right)
        left.node.ping(right.v4, count=1)
        spent = sum(left.transfer(right)) - before
        assert spent == HANDSHAKE + 2 * ping, f"{spent} bytes, not {HANDSHAKE + 2 * ping}"
    with lab.check("down and up before the daemon looks wipe them, too"):
        before = sum(left.transfer(right))
        time.sleep(0.1)  # an initiation within 20 ms of the previous one is not answered
        with left.daemon.held():
            left.link("down")
            left.link("up")
            left.node.run(f"ip route replace {right.v4} dev {left.interface}")
        left.node.ping(right.v4, count=1)
        spent = sum(left.transfer(right)) - before
        assert spent == HANDSHAKE + 2 * ping, f"{spent} bytes, not {HANDSHAKE + 2 * ping}"
    with lab.check("with a persistent keepalive, up starts a handshake"):
        left.set_peer(right, "persistent-keepalive", "1000")
        time.sleep(0.1)  # an initiation within 20 ms of the previous one is not answered
        left.link("down")
        wait_for(lambda: not left.node.udp_ports(), "no port")
        before = right.transfer(left)[0]
        left.link("up")
        wait_for(lambda: right.transfer(left)[0] >= before + 148 + 32, "a handshake and a keepalive")


def restart(left, right):
    left.link("down")
    wait_for(lambda: not left.node.udp_ports(), "no port")
    left.link("up")
    left.node.run(f"ip route replace {right.v4} dev {left.interface}")


def enter(left, right, node):
    """Restores the address, the link state and the route, which a device loses when it moves to another namespace."""
    left.node = node
    node.add_address(left.interface, left.addresses[0])
    left.link("up")
    node.run(f"ip route replace {right.v4} dev {left.interface}")


@case()
def another_namespace(lab):
    """
    inside  tun-left  10.7.0.1      only the device; the daemon and its UDP sockets remain in left
    left    192.0.2.1  ----  right  192.0.2.2
    """
    left, right = devices(lab, "adit+adit")
    left.node.ping(right.v4)
    outside, inside = left.node, lab.node("inside")
    for node in outside, right.node:
        node.offloads("wan", "off")
    with lab.check("the tunnel works after the device has moved"):
        left.link("netns inside")
        enter(left, right, inside)
        inside.ping(right.v4)
        both_ways(inside, left.v4, right.node, right.v4, 4 * MIB)
    with lab.check("the daemon follows changes of the MTU there"):
        for end in left, right:
            end.link("mtu 1333")
        check_padding(left, right, 1333, 4, outside)
    with lab.check("the daemon follows the MTU of a route there"):
        for end, other in (left, right), (right, left):
            end.node.run(f"ip route replace {other.v4} dev {end.interface} mtu 1290")
        check_padding(left, right, 1290, 4, outside)
    with lab.check("down and up there close and open the UDP port in the old namespace"):
        left.link("down")
        wait_for(lambda: not outside.udp_ports(), "no port")
        left.link("up")
        wait_for(lambda: outside.udp_ports() == [PORT, PORT], "the port")
        inside.run(f"ip route replace {right.v4} dev {left.interface}")
        inside.ping(right.v4)
    with lab.check("the device moves back"):
        left.link(f"netns {outside.name}")
        enter(left, right, outside)
        outside.ping(right.v4)
    with lab.check("the device is deleted in the other namespace: exit code 0"):
        left.link("netns inside")
        time.sleep(0.2)
        inside.run(f"ip link del {left.interface}")
        assert left.daemon.wait() == 0
        assert not os.path.exists(left.control_path) and not outside.udp_ports()


@case()
def in_the_background(lab):
    end = alone(lab)
    with lab.check("when the command returns, wg(8) gets answers and the MTU is set, 20 times"):
        for _ in range(20):
            end.node.run([*end.program(), end.interface])
            end.wg("set", "listen-port", "1234")
            assert end.wg("show", "listen-port").strip() == "1234"
            link = end.node.json(f"ip -j link show {end.interface}")[0]
            assert link["mtu"] == 1420, link["mtu"]
            end.node.run(f"ip link del {end.interface}")
            wait_for(lambda: not processes(lab.adit), "the end of the daemon")
    with lab.check("the command reports the failure of a start"):
        with socket.socket(socket.AF_UNIX) as living:
            living.bind(end.control_path)
            living.listen()
            done = end.node.run([*end.program(), end.interface], check=False)
        os.unlink(end.control_path)
        assert done.returncode == 1 and "in use" in done.stderr, done
        wait_for(lambda: not processes(lab.adit), "the end of the daemon")
    with lab.check("WG_PROCESS_FOREGROUND=1: the command stays in the foreground"):
        end.daemon = end.node.start("stays", [*end.program(), end.interface],
                                    env={**os.environ, "WG_PROCESS_FOREGROUND": "1"})
        wait_for(end.answers, "an answer")
        end.node.run(f"ip link del {end.interface}")
        assert end.daemon.wait() == 0
    with lab.check("--foreground: the command stays in the foreground"):
        end.daemon = end.node.start("stays", [*end.program(), "--foreground", end.interface])
        wait_for(end.answers, "an answer")
        assert end.stop() == 0


def hand_over(end, **descriptors):
    """Starts the daemon with open descriptors that the environment names, and closes our copies."""
    end.launch(pass_fds=descriptors.values(), **{name: str(fd) for name, fd in descriptors.items()})
    for fd in descriptors.values():
        os.close(fd)
    end.configure()


@case()
def descriptors(lab):
    left, right = devices(lab, "adit+adit", start=False)
    right.start()
    for title, flags in ("a plain TUN", 0), ("a TUN with virtio headers", IFF_VNET_HDR):
        with lab.check(f"WG_TUN_FD: {title}"):
            hand_over(left, WG_TUN_FD=left.open_tun(flags))
            left.node.ping(right.v4)
            both_ways(left.node, left.v4, right.node, right.v4, 4 * MIB)
            assert left.stop() == 0
            check_gone(left)
    with lab.check("WG_UAPI_FD: a listening socket"):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(left.control_path)
            listener.listen()
            hand_over(left, WG_UAPI_FD=os.dup(listener.fileno()))
        left.node.ping(right.v4)
        assert left.stop() == 0
    with lab.check("WG_TUN_FD and WG_UAPI_FD together"):
        if os.path.exists(left.control_path):
            os.unlink(left.control_path)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(left.control_path)
            listener.listen()
            hand_over(left, WG_UAPI_FD=os.dup(listener.fileno()), WG_TUN_FD=left.open_tun(IFF_VNET_HDR))
        left.node.ping(right.v4)
        left.node.run(f"ip link del {left.interface}")
        assert left.daemon.wait() == 0
    with lab.check("a value that is no descriptor, no TUN or no socket: exit code 1 and one line"):
        for name, value in itertools.product(("WG_TUN_FD", "WG_UAPI_FD"), ("99", "none", "0")):
            done = left.node.run([*left.program(), "-f", "tun-none"], check=False,
                                 env={**os.environ, name: value}, stdin=subprocess.DEVNULL)
            result = f"{name}={value}: {done.returncode}, {done.stderr}"
            assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, result
            assert not left.node.has_link("tun-none"), f"{name}={value}: a link is left"


@case()
def log_levels(lab):
    left, right = devices(lab, "adit+adit", start=False)
    right.start()
    for level, verbose in ("silent", False), ("error", False), ("verbose", True), ("debug", True):
        with lab.check(f"LOG_LEVEL={level}: handshakes are {'logged' if verbose else 'not logged'}"):
            before = len(left.daemon.log()) if left.daemon else 0
            left.launch(LOG_LEVEL=level).configure()
            left.node.ping(right.v4)
            assert left.stop() == 0
            log = left.daemon.log()[before:]
            assert ("handshake" in log) if verbose else not log, log
