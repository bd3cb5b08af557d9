# SPDX-License-Identifier: MIT
"""
Configuration files as wg(8), ip(8) and wg-quick(8) accept them, and what they do in `adit run`.

    left  192.0.2.1  ----  right  192.0.2.2
    tun-left  10.7.0.1     tun-right  10.7.0.2
"""

import os
import subprocess

from ends import Adit, key, pair
from lab import case
from quick import Quick, check_kernel, lay

OTHER = "XZ5zR6zv/0l1v0B9MMG+3mzTEdonoa/3aMgdTbNFGUA="
INTERFACE = "[Interface]\nPrivateKey = yOIrcmTD5+EZV6rUqnPlTY4S9/OqJh2epT7vU6FjTXg=\n"
PEER = f"[Peer]\nPublicKey = {OTHER}\n"
TEXTS = [
    "[ Interface ]\nPriv ateKey = yOIrcmTD5+EZV6rUqnPl TY4S9/OqJh2epT7vU6FjTXg=\nListenPort = 5 18 20\n",
    INTERFACE + f"[Pe er]\nPublic Key = {OTHER[:5]} {OTHER[5:]}\nAllowed IPs = 10.0.0.0 /24,1 0.1.0.0/1 6, fd00: :/64\n",
    INTERFACE + PEER + "Endpoint = 192.0.2.1 : 51820\nPersistent Keepalive = 2 5\n",
    INTERFACE + PEER + "Endpoint = [ 2001:db8::1 ] : 518 20\nPersistentKeepalive = 0025\n",
    INTERFACE + PEER + "Endpoint = 2001:db8::1:51820\n",
    INTERFACE + PEER + "Endpoint = [192.0.2.1]:51820\n",
    INTERFACE + PEER + "Endpoint = 127.1:51820\n",
    INTERFACE + PEER + "AllowedIPs = 10.0.0.5/0024\nAllowedIPs = 0.0.0.0/0,::/0\n",
    INTERFACE + PEER + PEER + "AllowedIPs = 10.0.0.0/24\n",
    INTERFACE + PEER + "[interface]\nLISTENPORT=9#x\n[PEER]\npublickey=" + OTHER + "\n",
    INTERFACE + "FwMark = 0xca6c\nFwMark = 0\nFwMark=OFF\n\f\v\r\n",
    INTERFACE + "ListenPort = domain\n" + PEER + "Endpoint = 192.0.2.1:openvpn\n",
    INTERFACE + PEER + "AllowedIPs = " + ", ".join(f"10.{i >> 8}.{i & 255}.0/24" for i in range(60000)) + "\n",
    "[Interface]\nListenPort = 7\n" + PEER,
    "[Interface]\n",
]
REFUSED = [  # differences that adit.conf(5) lists
    "", "# nothing\n", PEER, INTERFACE + "ListenPort = 70000\n", INTERFACE + "ListenPort = +80\n",
    INTERFACE + PEER + "Endpoint = 192.0.2.1:0\n",
]
ADDRESSES = ["10.0.0.1/24", "10.0.0.1/255.255.255.0", "10.0.0.1", "10.0.0.1/255.255.255.255", "fd00::1", "fd00::1/64",
             "10.0.0.1/0", "::ffff:10.0.0.1/96", "10.0.0.1/255.255.255.252"]


def write(name, text):
    path = f"/run/{name}.conf"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path


@case()
def as_wg(lab):
    node = lab.node("left")
    node.run("wireguard-go wg9")
    with lab.check("adit check accepts what wg setconf accepts"):
        for text in TEXTS:
            path = write("site", text)
            node.run(f"wg setconf wg9 {path}")
            done = node.run([lab.adit, "check", path], check=False)
            assert done.returncode == 0, f"{text[:200]}: {done.stderr}"
    with lab.check("what adit refuses although wg accepts it is as the manual says"):
        for text in REFUSED:
            path = write("site", text)
            node.run(f"wg setconf wg9 {path}")
            assert node.run([lab.adit, "check", path], check=False).returncode == 1, text
    node.run("ip link del wg9")
    node.run("ip tuntap add tun0 mode tun")
    with lab.check("adit check accepts the addresses that ip address add accepts"):
        for address in ADDRESSES:
            node.run(["ip", "-6" if ":" in address else "-4", "address", "add", address, "dev", "tun0"])
            node.run([lab.adit, "check", write("site", INTERFACE + f"Address = {address}\n")])
            node.run("ip address flush dev tun0")


def without_key(text):
    return "".join(line for line in text.splitlines(True) if not line.startswith("PrivateKey"))


class Keyless(Adit):
    def text(self, whole=True):
        return without_key(super().text(whole))


@case()
def key_set_later(lab):
    left, right = pair(lab, start=False)
    left = Keyless(left.node, left.interface, left.addresses)
    left.add_peer(right, Endpoint="192.0.2.2:51820")
    right.peers[0]["PublicKey"] = left.public
    right.start()
    with lab.check("a tunnel without a private key starts and waits"):
        left.start()
        assert "PrivateKey is missing" in left.daemon.log()
        assert left.node.run("wg show tun-left private-key").stdout.strip() == "(none)"
    with lab.check("it works once wg set has set the key"):
        left.node.run("wg set tun-left private-key /dev/stdin", input=left.private)
        left.node.ping(right.v4)
    with lab.check("a reload keeps the key and the session"):
        left.node.run([lab.adit, "reload", "tun-left"])
        assert left.node.run("wg show tun-left private-key").stdout.strip() == left.private
        left.node.ping(right.v4)


class KeylessQuick(Quick):
    def text(self, whole=True):
        return without_key(super().text(whole))


@case()
def key_set_by_a_hook(lab):
    """wg-quick with adit as its implementation, and a file whose PostUp sets the private key."""
    left, right = lay(lab, PostUp="wg set %i private-key /run/key")
    with lab.check("the kernel leaves it to adit"):
        check_kernel(left.node)
    with open(os.open("/run/key", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(left.private + "\n")
    left.__class__ = KeylessQuick
    with lab.check("up, traffic, down"):
        left.start()
        assert left.wg("show", "private-key").strip() == left.private
        left.node.ping(right.v4)
        left.down()


@case()
def blanks_and_long_lines(lab):
    """The file of `adit run` as nobody should write it."""
    left, right = pair(lab, start=False)
    right.start()
    peer = left.peers[0]
    peer["AllowedIPs"] = ", ".join([f"10.{i >> 8}.{i & 255}.0/24" for i in range(8 << 8, 40 << 8)] + ["10.7.0.2 /32,"])
    peer["Endpoint"] = "192.0.2.2 : 51820"
    left.addresses = ["10.7.0.1/255.255.255.0 ,"]
    left.settings |= {"M T U": " ", "Table": ""}
    with lab.check("a line of 100,000 bytes, blanks, a netmask and empty values"):
        left.start()
        left.node.ping("10.7.0.2")
        assert left.node.json("ip -j -4 address show tun-left")[0]["addr_info"][0]["prefixlen"] == 24
        assert len(left.node.json("ip -j route show dev tun-left")) > 8000


@case()
def same_peer_twice(lab):
    left, right = pair(lab, start=False)
    left.peers.append({"PublicKey": right.public, "AllowedIPs": "10.8.0.0/24"})
    right.node.run("ip address add 10.8.0.2/24 dev lo")
    right.start()
    with lab.check("both sections count"):
        left.start()
        left.node.ping("10.7.0.2")
        left.node.ping("10.8.0.2")
        assert "both sections are merged" in left.daemon.log()


@case(table=["main", "uplink"])
def table_names(lab, table):
    left, right = pair(lab, start=False)
    os.mkdir("/run/etc")
    subprocess.run(["cp", "-a", "/etc/.", "/run/etc"], check=True)
    subprocess.run(["mount", "--bind", "/run/etc", "/etc"], check=True)
    os.makedirs("/etc/iproute2/rt_tables.d", exist_ok=True)
    with open("/etc/iproute2/rt_tables.d/test.conf", "w") as file:
        file.write("# ours\n1234 uplink\n")
    left.settings["Table"] = table
    left.peers[0]["AllowedIPs"] = "10.7.0.2/32, 10.9.0.0/16"
    right.start()
    with lab.check("the routes are in the table of that name"):
        left.start()
        routes = left.node.json(f"ip -j route show table {table} dev tun-left")
        assert "10.9.0.0/16" in [route["dst"] for route in routes], routes
    with lab.check("a reload changes nothing"):
        left.node.run([lab.adit, "reload", "tun-left"])
        assert left.node.json(f"ip -j route show table {table} dev tun-left") == routes


@case()
def advice(lab):
    """What `adit check` warns about on this host, and a daemon does not."""
    node, other = lab.node("left"), lab.node("right")
    lab.wire(node, "wan", ["192.0.2.1/24", "2001:db8::1/64"], other, "wan", ["192.0.2.2/24"])
    text = INTERFACE + "Address = 192.0.2.9/24, fd07::1/64\nMTU = 1200\n" + PEER + \
        "AllowedIPs = 192.0.2.0/24, 10.7.0.5/24, 198.0.0.0/7\nEndpoint = 198.51.100.1:51820\n" + \
        f"[Peer]\nPublicKey = {key(lab.adit, 'pubkey', key(lab.adit, 'genkey'))}\nEndpoint = 300.1.1.1:51820\n"
    with lab.check("each of the mistakes causes one warning"):
        done = node.run([lab.adit, "check", write("site", text)])
        for part in ("site.conf:4: warning: MTU: 1200", "Address: 192.0.2.0/24 is also", "AllowedIPs: 192.0.2.0/24 is also",
                     "AllowedIPs: 10.7.0.5/24 has bits", "AllowedIPs: 198.0.0.0/7 contains the endpoint 198.51.100.1",
                     'Endpoint: "300.1.1.1" looks like'):
            assert done.stderr.count(part) == 1, f"{part}: {done.stderr}"
        assert len(done.stderr.splitlines()) == 6, done.stderr
    with lab.check("the same file without them causes none"):
        text = INTERFACE + "Address = 10.7.0.1/24, fd07::1/64\nMTU = 1280\n" + PEER + \
            "AllowedIPs = 10.7.0.0/24, 0.0.0.0/0, ::/0\nEndpoint = 192.0.2.2:51820\n"
        assert not node.run([lab.adit, "check", write("site", text)]).stderr
