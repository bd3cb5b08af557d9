# SPDX-License-Identifier: MIT
"""
The ends of a tunnel. Three kinds; kernel.py has one more, the kernel's WireGuard:

Adit          `adit run FILE`: a tunnel configured by an INI file.
AditDevice    a bare adit device, configured with wg(8) and ip(8).
WireguardGo   the same with Debian's wireguard-go; PlainWireguardGo is wireguard-go without offloads.
"""

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess

from lab import TIMEOUT, wait_for

PORT = 51820
TUNSETIFF, IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x0001, 0x1000, 0x4000


def key(adit, command, text=None):
    return subprocess.run([adit, command], input=text, capture_output=True, text=True, check=True).stdout.strip()


def host_port(address, port=PORT):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class End:
    """One end of a tunnel: an interface in a namespace, its keys and its peers."""

    def __init__(self, node, interface, addresses, port=PORT, **settings):
        adit = node.lab.adit
        self.node = node
        self.interface = interface
        self.addresses = addresses  # with their prefix lengths
        self.port = port
        self.settings = {**node.lab.settings, **settings}  # additional keys of [Interface]
        self.private = key(adit, "genkey")
        self.public = key(adit, "pubkey", self.private)
        self.peers = []
        self.daemon = None

    @property
    def v4(self):
        return self.inner(4)

    @property
    def v6(self):
        return self.inner(6)

    def inner(self, family):
        """Returns the address inside the tunnel, without its prefix length."""
        return next(text.split("/")[0] for text in self.addresses if (":" in text) == (family == 6))

    def add_peer(self, other, allowed=None, **settings):
        """Adds a peer. `allowed` defaults to the peer's addresses. Keywords are keys of [Peer], such as Endpoint."""
        allowed = allowed or [f"{address.split('/')[0]}/{128 if ':' in address else 32}" for address in other.addresses]
        self.peers.append({"PublicKey": other.public, "AllowedIPs": ", ".join(allowed), **settings})

    def text(self, whole=True):
        """Returns the INI file. Without `whole`, it contains only the keys that wg(8) accepts."""
        interface = {"PrivateKey": self.private, "ListenPort": self.port}
        if whole:
            interface |= {"Address": ", ".join(self.addresses), **self.settings}
        sections = [("Interface", interface)] + [("Peer", peer) for peer in self.peers]
        return "\n".join(f"[{title}]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())
                         for title, keys in sections)

    def write(self, whole=True):
        path = f"/run/{self.interface}.conf"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.text(whole))
        return path

    def stop(self, *number):
        return self.daemon.stop(*number)


def answer_of(end, request):
    """Returns the answer of an adit to a request on its control socket, without the line `errno=0`."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(f"/var/run/wireguard/{end.interface}.sock")
        client.sendall(f"{request}\n\n".encode())
        text = ""
        while not text.endswith("\n\n"):
            more = client.recv(65536)
            assert more, "the daemon closed the connection"
            text += more.decode()
        client.shutdown(socket.SHUT_WR)
        assert not client.recv(1), "more than one answer"  # now the daemon has closed its end, too
    assert text.endswith("errno=0\n\n"), text
    return text.removesuffix("errno=0\n\n")


def counters_of(end):
    """Returns the counters of an adit that are not 0, by name, without the byte counters of its peers."""
    values = dict(line.split("=") for line in answer_of(end, "counters=1").split())
    values = {name: value for name, value in values.items() if not name.startswith(("batch_", "start_time_"))}
    return {name.removeprefix("drop_refused_"): int(value) for name, value in values.items() if value != "0"}


class Adit(End):
    def start(self):
        """Starts the daemon and waits for its READY=1 notification."""
        path = f"/run/{self.interface}.notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.setblocking(False)
            self.daemon = self.node.start(self.interface, [self.node.lab.adit, "run", self.write()],
                                          dump_signal=signal.SIGUSR1, env={**os.environ, "NOTIFY_SOCKET": path})
            try:
                wait_for(lambda: self.ready(notify), f"{self.interface}: READY=1")
            finally:
                os.unlink(path)
        return self

    def reload(self, check=True):
        """Writes the file and runs `adit reload`. Returns the completed process."""
        self.write()
        done = self.node.run([self.node.lab.adit, "reload", self.interface], check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    def ready(self, notify):
        if self.daemon.process.poll() is not None:
            raise AssertionError(f"{self.interface} ended early: {self.daemon.tail()}")
        ready = False
        with contextlib.suppress(BlockingIOError):
            while True:
                ready |= b"READY=1" in notify.recv(4096)
        return ready


class Device(End):
    """A bare device: a program creates it, wg(8) and ip(8) configure it."""

    dump_signal = None
    level = "error"

    def program(self):
        """Returns the command that creates a device, without its arguments."""
        raise NotImplementedError

    @property
    def control_path(self):
        return f"/var/run/wireguard/{self.interface}.sock"

    def start(self):
        self.launch()
        return self.configure()

    def launch(self, pass_fds=(), **environment):
        """Starts the program and waits until its control socket accepts connections."""
        self.daemon = self.node.start(self.interface, [*self.program(), "-f", self.interface], pass_fds=pass_fds,
                                      dump_signal=self.dump_signal,
                                      env={**os.environ, "LOG_LEVEL": self.level, **environment})
        wait_for(self.answers, f"{self.interface}: an answer on the control socket")
        return self

    def open_tun(self, flags=0):
        """Returns the descriptor of a new TUN device in the namespace of this end."""
        with self.node.inside():
            tun = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", self.interface.encode(), IFF_TUN | IFF_NO_PI | flags))
        return tun

    def answers(self):
        if not self.daemon.running():
            raise AssertionError(f"{self.interface} ended early: {self.daemon.tail()}")
        with socket.socket(socket.AF_UNIX) as client:  # wg(8) would delete a socket that does not listen yet
            return not client.connect_ex(self.control_path)

    def configure(self):
        self.wg("setconf", self.write(whole=False))
        for address in self.addresses:
            self.node.add_address(self.interface, address)
        self.node.run(f"ip link set {self.interface} mtu {self.settings.get('MTU', 1420)} up")
        for peer in self.peers:
            for prefix in peer["AllowedIPs"].split(", "):
                self.node.run(f"ip route replace {prefix} dev {self.interface}")
        if self.port:
            wait_for(self.listens, f"{self.interface}: a socket on port {self.port}")
        return self

    def listens(self):
        """The daemon opens its sockets a moment after the link is up."""
        return self.node.run(f"ss -Hlun sport = :{self.port}").stdout

    def link(self, change):
        self.node.run(f"ip link set {self.interface} {change}")

    def wg(self, verb, *arguments, **options):
        return self.node.run(["wg", verb, self.interface, *arguments], **options).stdout

    def set_peer(self, other, *arguments, **options):
        self.wg("set", "peer", other.public, *arguments, **options)

    def set_key(self, private):
        """Sets the private key. An empty text removes it."""
        self.wg("set", "private-key", "/dev/stdin" if private else "/dev/null", input=private)
        if private:
            self.private, self.public = private, key(self.node.lab.adit, "pubkey", private)

    def about(self, other, what):
        """Returns one value of a peer from `wg show`, such as its endpoint, or None if the peer does not exist."""
        values = dict(line.split("\t", 1) for line in self.wg("show", what).splitlines())
        return values.get(other.public)

    def about_peer(self, what):
        """Returns one value of the first peer."""
        return self.wg("show", what).splitlines()[0].split("\t", 1)[1]

    def transfer(self, other):
        """Returns the bytes received from a peer and the bytes sent to it."""
        received, sent = self.about(other, "transfer").split()
        return int(received), int(sent)


class WireguardGo(Device):
    def program(self):
        return ["wireguard-go"]

    def has_virtio_headers(self):
        """Returns whether the TUN has virtio headers, which distinguishes versions from 2023 on from older ones."""
        return self.node.json(f"ip -j -d link show {self.interface}")[0]["linkinfo"]["info_data"]["vnet_hdr"]


class PlainWireguardGo(WireguardGo):
    """
    wireguard-go that reads and writes one packet per call. Versions from 2023 on, as in Debian 13, use the offloads
    of their TUN and sockets. They merge the packets that they receive, move a zero-length datagram behind its
    successors, and cannot send several datagrams that are larger than the MTU of the wire. They do none of that if their
    TUN has no virtio headers.
    """

    def launch(self, **environment):
        super().launch(**environment)
        if self.has_virtio_headers():
            self.stop()
            tun = self.open_tun()
            super().launch(pass_fds=[tun], WG_TUN_FD=str(tun), **environment)
            os.close(tun)
        return self


class AditDevice(Device):
    dump_signal = signal.SIGUSR1
    level = "verbose"

    def program(self):
        return [self.node.lab.adit]


def pair(lab, outside=4, left=Adit, right=Adit, psk=None, knows="both", start=True, **settings):
    """
    Creates two hosts on one wire, with a tunnel between them:

        left 192.0.2.1, 2001:db8::1  ----  right 192.0.2.2, 2001:db8::2
        inside: 10.7.0.1, fd07::1                 10.7.0.2, fd07::2

    `outside` is the IP version of the endpoints. `knows` names the end that has an endpoint for the other end: left,
    right or both. Keywords are keys of [Interface] at both ends.
    """
    wan = {4: "192.0.2.{}", 6: "2001:db8::{}"}
    hosts = [lab.node("left"), lab.node("right")]
    lab.wire(hosts[0], "wan", ["192.0.2.1/24", "2001:db8::1/64"], hosts[1], "wan", ["192.0.2.2/24", "2001:db8::2/64"])
    ends = [kind(host, f"tun-{host.name}", [f"10.7.0.{number}/24", f"fd07::{number}/64"], **settings)
            for number, kind, host in ((1, left, hosts[0]), (2, right, hosts[1]))]
    secret = {"PresharedKey": key(lab.adit, "genpsk")} if psk else {}
    for number, end, other in (2, ends[0], ends[1]), (1, ends[1], ends[0]):
        endpoint = {"Endpoint": host_port(wan[outside].format(number))} if knows in (end.node.name, "both") else {}
        end.add_peer(other, **secret, **endpoint)
    for end in ends if start else []:
        end.start()
    return ends


DEVICES = {"adit": AditDevice, "wireguard-go": WireguardGo, "plain-wireguard-go": PlainWireguardGo}
ENDS = ["adit+adit", "adit+wireguard-go"]  # LEFT+RIGHT
PLAIN_ENDS = ["adit+adit", "adit+plain-wireguard-go"]


def devices(lab, ends, *arguments, **settings):
    """Creates a pair of bare devices. `ends` is an element of ENDS or PLAIN_ENDS."""
    left, right = (DEVICES[name] for name in ends.split("+"))
    return pair(lab, *arguments, left=left, right=right, **settings)


def check_handshake(lab, left, right, initiator):
    """Pings through a new tunnel. Only the end that `initiator` names knows the endpoint of the other one."""
    source, target = (left, right) if initiator == "left" else (right, left)
    for family in 4, 6:
        with lab.check(f"ping from the initiator, then from the responder, v{family} inside"):
            source.node.ping(target.inner(family))
            target.node.ping(source.inner(family))
    with lab.check("wg shows a handshake and traffic both ways"):
        received, sent = map(int, right.about_peer("transfer").split())
        assert int(right.about_peer("latest-handshakes")) > 0 and received > 0 and sent > 0
