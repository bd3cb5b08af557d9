# SPDX-License-Identifier: MIT
"""
The example files of conf/. The tests replace only their keys, as users must, because the keys in the files are public.
The hosts have the addresses that the files contain.
"""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile

from container import Container, join, new_cgroups
from ends import Adit, key
from hooks import set_tools
from lab import Skip, case, wait_for
from life import changes, network_state
from names import Dns
from quick import RESOLVER, prepare, read
from traffic import MIB, both_ways, family_of, listen, stream

CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf")
KEY = re.compile(r"[A-Za-z0-9+/]{43}=")


class Example(Adit):
    """An end with a given file."""

    def __init__(self, node, interface, text):
        self.node = node
        self.interface = interface
        self.content = text

    def text(self, whole=True):
        return self.content

    def inner(self, family):
        found = re.search(r"^Address = (.*)$", self.content, re.MULTILINE)[1]
        return next(part.split("/")[0] for part in found.split(", ") if (":" in part) == (family == 6))


def read_with_new_keys(lab, folder, names):
    """Returns the files of a folder, with each key pair replaced by a new one."""
    texts = {}
    for name in names:
        with open(os.path.join(CONF, folder, f"{name}.conf")) as file:
            texts[name] = file.read()
    replaced = {}
    for text in texts.values():
        old = re.search(r"^PrivateKey = (.*)$", text, re.MULTILINE)[1]
        new = key(lab.adit, "genkey")
        replaced |= {old: new, key(lab.adit, "pubkey", old): key(lab.adit, "pubkey", new)}
    return {name: KEY.sub(lambda found: replaced[found[0]], text) for name, text in texts.items()}


def lay(lab, folder, addresses):
    """
    Creates hosts with these addresses around a router, the internet. Those with private addresses are behind a NAT.
    Returns their ends, which are not started.
    """
    internet = lab.node("internet", forward=True)
    ends = {}
    for name, text in read_with_new_keys(lab, folder, addresses).items():
        ends[name] = Example(attach(lab, internet, name, addresses[name]), name, text)
        if addresses[name].startswith("10."):
            masquerade(internet, name)
    return ends


def attach(lab, internet, name, address):
    """Creates a host with an address, whose default route leads to the internet."""
    node = lab.node(name, forward=True)
    gateway = address.rsplit(".", 1)[0] + ".254"
    lab.wire(node, "wan", [f"{address}/24"], internet, name, [f"{gateway}/24"])
    node.run(f"ip route add default via {gateway}")
    return node


def add_lan(lab, router, host, network):
    """Creates a host in a LAN behind a router."""
    node = lab.node(host)
    lab.wire(router, "lan", [f"{network}.1/24"], node, "lan", [f"{network}.2/24"])
    node.run(f"ip route add default via {network}.1")
    return node


WEB = "192.0.2.80"


def source_at(web, client, address=WEB):
    """Returns the address from which a host on the internet sees a TCP connection of a client."""
    with listen(web, address) as listener, client.socket(family_of(address), socket.SOCK_STREAM) as sender:
        sender.connect(listener.getsockname()[:2])
        accepted, source = listener.accept()
        accepted.close()
        return source[0]


@case()
def site_to_site(lab):
    """
    here - left - internet - right - there
    192.168.10.2  192.168.10.1, 198.51.100.1    203.0.113.2, 192.168.20.1  192.168.20.2
    """
    ends = lay(lab, "site-to-site", {"left": "198.51.100.1", "right": "203.0.113.2"})
    here = add_lan(lab, ends["left"].node, "here", "192.168.10")
    there = add_lan(lab, ends["right"].node, "there", "192.168.20")
    for end in ends.values():
        end.start()
    with lab.check("the LANs behind the ends reach each other: TCP both ways"):
        both_ways(here, "192.168.10.2", there, "192.168.20.2", 16 * MIB)
    with lab.check("the ends reach each other through the tunnel: TCP both ways"):
        both_ways(ends["left"].node, ends["left"].v4, ends["right"].node, ends["right"].v4, 4 * MIB)


@case()
def mesh(lab):
    """
    a, b, d and e have addresses of the internet. c, 10.0.0.2, is behind a NAT: the others see another address and port.
    """
    ends = lay(lab, "mesh", {"a": "198.51.100.11", "b": "203.0.113.12", "c": "10.0.0.2", "d": "198.51.101.14",
                             "e": "203.0.114.15"})
    for end in ends.values():
        end.start()
    for one, other in itertools.combinations(ends, 2):
        left, right = ends[one], ends[other]
        for family in 4, 6:
            with lab.check(f"{one} and {other}: TCP both ways, v{family} inside"):
                wait_for(lambda: left.node.reaches(right.inner(family)), f"an answer of {other}")
                both_ways(left.node, left.inner(family), right.node, right.inner(family), MIB)


@case()
def hub_and_spokes(lab):
    """
    here - paris 10.0.0.2 - internet - rome 10.0.1.2 - there      The spokes are behind NATs.
                               |
                        hub 198.51.100.1
    """
    ends = lay(lab, "hub-and-spokes", {"hub": "198.51.100.1", "paris": "10.0.0.2", "rome": "10.0.1.2"})
    here = add_lan(lab, ends["paris"].node, "here", "192.168.21")
    there = add_lan(lab, ends["rome"].node, "there", "192.168.22")
    for end in ends.values():
        end.start()
    with lab.check("the spokes reach each other through the hub"):
        wait_for(lambda: ends["paris"].node.reaches(ends["rome"].v4), "an answer of rome")
        both_ways(ends["paris"].node, ends["paris"].v4, ends["rome"].node, ends["rome"].v4, 4 * MIB)
    with lab.check("so do the LANs behind them, and the hub reaches the LANs"):
        both_ways(here, "192.168.21.2", there, "192.168.22.2", 4 * MIB)
        ends["hub"].node.ping("192.168.21.2")
        ends["hub"].node.ping("192.168.22.2")
    with lab.check("a spoke still reaches its own LAN, which is a part of AllowedIPs"):
        ends["paris"].node.ping("192.168.21.2")


@case()
def road_warrior(lab):
    """
    laptop 10.0.0.2 - internet - server 198.51.100.1      The laptop is behind a NAT. A DNS server listens on 10.80.0.1.
                         |
                    web 192.0.2.80
    """
    prepare(lab)
    set_tools()
    ends = lay(lab, "road-warrior", {"laptop": "10.0.0.2", "server": "198.51.100.1"})
    server, laptop = ends["server"], ends["laptop"]
    web = attach(lab, lab.nodes["internet"], "web", WEB)
    server.node.add_address("lo", "2001:db8:80::80")
    laptop.node.set("net/ipv4/conf/all/src_valid_mark", 1)  # adit sets it, and it stays
    before = network_state(laptop.node)
    server.start()
    dns = Dns(server.node, {"web.example": [WEB]}, address=server.v4)
    laptop.start()
    with lab.check("the laptop reaches the internet from the address of the server, and IPv6 through the tunnel"):
        assert source_at(web, laptop.node) == "198.51.100.1"
        stream(laptop.node, web, WEB, 4 * MIB)
        laptop.node.ping("2001:db8:80::80")
    with lab.check("names are looked up through the tunnel"):
        assert read("/etc/resolv.conf") == "nameserver 10.80.0.1\n"
        assert laptop.node.run("getent ahostsv4 web.example").stdout.split()[0] == WEB
        assert dns.count("web.example")
    with lab.check("the kill switch blocks what other rules lead past the tunnel"):
        laptop.node.run(f"ip rule add pref 1 to {WEB} lookup main")
        laptop.node.no_answer(WEB)
        laptop.node.run(f"ip rule del pref 1 to {WEB} lookup main")
    with lab.check("if adit is killed, it blocks everything, and a start opens the tunnel again"):
        laptop.stop(signal.SIGKILL)
        laptop.node.no_answer(WEB)
        laptop.start()
        laptop.node.ping(WEB)
    with lab.check("after the end, the laptop is as before"):
        assert laptop.stop() == 0
        assert source_at(web, laptop.node) != "198.51.100.1"
        assert not changes(before, network_state(laptop.node)), changes(before, network_state(laptop.node))
        assert read("/etc/resolv.conf") == RESOLVER


@case()
def full_tunnel(lab):
    """
    here - branch 10.0.0.2 - internet - exit 203.0.113.2      The branch is behind a NAT.
                                |
                           web 192.0.2.80
    """
    ends = lay(lab, "full-tunnel", {"branch": "10.0.0.2", "exit": "203.0.113.2"})
    branch = ends["branch"]
    web = attach(lab, lab.nodes["internet"], "web", WEB)
    here = add_lan(lab, branch.node, "here", "192.168.31")
    # Without the tunnel, the LAN reaches the web, too.
    branch.node.run(["nft", "add table ip nat; add chain ip nat out { type nat hook postrouting priority srcnat; };"
                     "add rule ip nat out oifname wan masquerade"])
    with lab.check("before the start, the LAN reaches the internet without the tunnel"):
        assert source_at(web, here) not in ("203.0.113.2", "192.168.31.2")
    for end in ends.values():
        end.start()
    with lab.check("the LAN and the branch reach the internet from the address of the head office"):
        for node in here, branch.node:
            assert source_at(web, node) == "203.0.113.2"
        stream(here, web, WEB, 4 * MIB)
    with lab.check("the branch still reaches its LAN, and the head office reaches both"):
        branch.node.ping("192.168.31.2")
        ends["exit"].node.ping("192.168.31.2")
        ends["exit"].node.ping(branch.v4)
    for number in signal.SIGTERM, signal.SIGKILL:
        with lab.check(f"after {number.name}, nothing leaves past the tunnel"):
            branch.stop(number)
            for node in here, branch.node:
                assert node.run(f"ping -n -q -c 2 -i 0.1 -W 1 {WEB}", check=False).returncode
            branch.start()
            here.ping(WEB)


@case()
def routing_daemon(lab):
    """
    here - left 198.51.100.1 - internet - right 203.0.113.2 - there      babeld runs on left and right.
    """
    ends = lay(lab, "routing-daemon", {"left": "198.51.100.1", "right": "203.0.113.2"})
    here = add_lan(lab, ends["left"].node, "here", "192.168.41")
    there = add_lan(lab, ends["right"].node, "there", "192.168.42")
    for end in ends.values():
        end.start()
    with lab.check("adit adds no routes"):
        assert "192.168" not in ends["left"].node.run("ip route show dev left").stdout
    daemons = {}
    for name, end in ends.items():
        path = os.path.join(CONF, "routing-daemon", f"babeld-{name}.conf")
        daemons[name] = end.node.start("babeld", f"babeld -c {path} -I /run/{name}.pid -S /run/{name}.state")
    with lab.check("babeld adds the routes of the LANs, and they reach each other"):
        for name, lan in ("left", "192.168.42.0/24"), ("right", "192.168.41.0/24"):
            wait_for(lambda: has_route(ends[name], lan), f"{name}: a route to {lan}")
        both_ways(here, "192.168.41.2", there, "192.168.42.2", 4 * MIB)
    with lab.check("a reload leaves the routes of babeld alone"):
        ends["left"].reload()
        assert has_route(ends["left"], "192.168.42.0/24")
    with lab.check("when right leaves, babeld deletes its route"):
        daemons["right"].stop()
        wait_for(lambda: not has_route(ends["left"], "192.168.42.0/24"), "the end of the route")


def has_route(end, network):
    return "babel" in end.node.run(f"ip route show {network} dev {end.interface}").stdout


CONTAINER = """#!/bin/sh
# Runs a command as the container of the example: CAP_NET_ADMIN, /dev/net/tun, read-only sysctls, and no tools.
exec unshare --mount sh -c '
    mkdir -p /run/dev/net
    for device in null random urandom zero net/tun; do
        touch /run/dev/$device
        mount --bind /dev/$device /run/dev/$device
    done
    mount --rbind /run/dev /dev
    mount --bind /proc/sys /proc/sys
    mount -o remount,bind,ro /proc/sys
    exec env PATH=/nowhere /usr/bin/setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+net_admin "$@"
' sh "$@"
"""


@case()
def container(lab):
    """
    app 10.0.0.2 - internet - gateway 198.51.100.1 - there      The container is behind the NAT of its host.
    """
    ends = lay(lab, "container", {"app": "10.0.0.2", "gateway": "198.51.100.1"})
    app, gateway = ends["app"], ends["gateway"]
    there = add_lan(lab, gateway.node, "there", "192.168.51")
    gateway.start()
    with open(os.open("/run/container", os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
        file.write(CONTAINER)
    app.daemon = app.node.start("app", ["/run/container", lab.adit, "run", app.write()])
    with lab.check("the container reaches the LAN, with CAP_NET_ADMIN only"):
        wait_for(lambda: app.node.reaches("192.168.51.2"), "an answer of there")
        both_ways(app.node, app.v4, there, "192.168.51.2", 4 * MIB)
        assert re.search(r"^CapBnd:\s+0*1000$", read(f"/proc/{app.daemon.pid}/status"), re.MULTILINE)
    with lab.check("the end removes the interface"):
        assert app.stop() == 0, app.daemon.tail()
        assert not app.node.has_link("app")


@case(slow=True)
def container_of_nspawn(lab):
    """The command for systemd-nspawn in conf/container/app.conf, except for the network, which is that of the case."""
    ends = lay(lab, "container", {"app": "10.0.0.2", "gateway": "198.51.100.1"})
    app, gateway = ends["app"], ends["gateway"]
    there = add_lan(lab, gateway.node, "there", "192.168.51")
    gateway.start()
    root = Container(app.node).root
    shutil.copy(lab.adit, f"{root}/usr/bin/adit")
    os.mkdir(f"{root}/etc/adit")
    app.write()
    words = re.search(r"systemd-nspawn (.*?-D ROOT adit run app)$", app.content, re.MULTILINE | re.DOTALL)[1]
    words = re.sub(r"\\\n#", "", words).replace("--network-veth", f"--network-namespace-path=/run/netns/{app.node.name}")
    words = words.replace("ROOT", root).replace("./app.conf:", "/run/app.conf:").split()
    with new_cgroups() as groups:
        process = subprocess.Popen(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", *words],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   preexec_fn=lambda: join(groups))
        with lab.check("the container reaches the LAN"):
            wait_for(lambda: app.node.reaches("192.168.51.2") or process.poll() is not None, "an answer of there")
            both_ways(app.node, app.v4, there, "192.168.51.2", 4 * MIB)
        with lab.check("the end of the container removes the interface"):
            process.send_signal(signal.SIGTERM)
            log = process.communicate(timeout=60)[0]
            assert not app.node.has_link("app"), log


# The storage is that of the case. A limit may be above that of this host, which may not permit to raise it.
PODMAN = ["podman", "--root=/run/podman/root", "--runroot=/run/podman/run", "--tmpdir=/run/podman/tmp",
          "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=none"]
PODMAN_RUN = ["--rm", "--cgroups=disabled", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]


def import_image(*programs):
    """Makes an image of these programs with their libraries and nothing else."""
    files = {f"/usr/bin/{os.path.basename(program)}": program for program in programs}
    for line in subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout.splitlines():
        found = re.search(r"(/\S+) \(", line)
        if found:
            files[found[1]] = os.path.realpath(found[1])
    with tarfile.open("/run/image.tar", "w") as image:
        for name, path in files.items():
            image.add(path, name)
        link = tarfile.TarInfo("/var/run")
        link.type, link.linkname = tarfile.SYMTYPE, "../run"
        image.addfile(link)
    subprocess.run([*PODMAN, "import", "/run/image.tar", "adit-image"], capture_output=True, check=True)


@case(default_route=[False, True])
def container_of_podman(lab, default_route):
    """
    The command for podman in conf/container/app.conf, except for the network, which is that of the case. A default
    route needs nft and an option, as the file says.
    """
    if not shutil.which("podman"):
        raise Skip("needs podman")
    for kind, path in ("tmpfs", "/dev/shm"), ("cgroup2", "/sys/fs/cgroup"):  # locks; crun refuses a mix of versions
        subprocess.run(["mount", "-t", kind, kind, path], check=True)
    ends = lay(lab, "container", {"app": "10.0.0.2", "gateway": "198.51.100.1"})
    app, gateway = ends["app"], ends["gateway"]
    there = add_lan(lab, gateway.node, "there", "192.168.51")
    gateway.start()
    import_image(lab.adit, shutil.which("nft"))
    words = re.search(r"podman run (.*) IMAGE adit run app$", app.content, re.MULTILINE)[1]
    if default_route:
        words += " " + re.search(r"--sysctl \S+=1", app.content)[0]
        app.content = re.sub("AllowedIPs = .*", "AllowedIPs = 0.0.0.0/0", app.content)
        app.node.set("net/ipv4/conf/all/rp_filter", 1)
    app.write()
    process = subprocess.Popen([*PODMAN, "run", f"--network=ns:/run/netns/{app.node.name}", *PODMAN_RUN,
                                *words.replace("./app.conf:", "/run/app.conf:").split(), "adit-image", "adit", "run", "app"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with lab.check("the container reaches the LAN"):
        wait_for(lambda: app.node.reaches("192.168.51.2") or process.poll() is not None, "an answer of there")
        both_ways(app.node, app.v4, there, "192.168.51.2", 4 * MIB)
    with lab.check("the end of the container removes the interface"):
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=60)[0]
        assert process.returncode == 0 and not app.node.has_link("app"), log


def masquerade(node, interface):
    """Masquerades connections from an interface, and drops connections to it."""
    done = node.run(["nft", f"""
        table ip nat {{
            chain out {{
                type nat hook postrouting priority srcnat
                iifname {interface} masquerade random
            }}
            chain in {{
                type filter hook forward priority filter
                oifname {interface} ct state new drop
            }}
        }}"""], check=False)
    if done.returncode:
        raise Skip(f"nft cannot masquerade: {done.stderr.strip()}")
