# SPDX-License-Identifier: MIT
"""
Included files, `adit init`, `adit peer`, and keys outside of the configuration file.

    hub  192.0.2.1  ----  client  192.0.2.2
    hub  10.7.0.1, fd07::1        laptop  the next free addresses
"""

import json
import os
import re
import signal
import socket
import subprocess

from ends import Adit, key
from lab import case, wait_for


class Written(Adit):
    """An end whose file a command has written."""

    def __init__(self, node, interface, addresses):
        self.node, self.interface, self.addresses = node, interface, addresses

    def write(self, whole=True):
        return f"/run/{self.interface}.conf"


def put(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def peer(lab, *arguments, check=True):
    """Runs `adit peer` on the hub, whose daemon it reloads."""
    return subprocess.run(lab.nodes["hub"].words([lab.adit, "peer", *arguments]), capture_output=True, text=True,
                          check=check, timeout=60)


def shown(lab, interface):
    """Returns the peers of `adit show`, by name."""
    text = subprocess.run([lab.adit, "show", interface, "--json"], capture_output=True, text=True, check=True).stdout
    return {found["name"]: found for found in json.loads(text)["interfaces"][0]["peers"]}


def hub_of(lab, start=True):
    """Creates a hub without peers, and a host for a client."""
    hub, client = lab.node("hub"), lab.node("client")
    lab.wire(hub, "wan", ["192.0.2.1/24", "2001:db8::1/64"], client, "wan", ["192.0.2.2/24", "2001:db8::2/64"])
    hub.run([lab.adit, "init", "/run/hub.conf", "--address", "10.7.0.1/24,fd07::1/64"])
    end = Written(hub, "hub", ["10.7.0.1/24", "fd07::1/64"])
    return (end.start() if start else end), client


@case()
def tunnel(lab):
    hub, client = hub_of(lab)
    with lab.check("a peer that is added while the hub runs connects with the file that was printed"):
        done = peer(lab, "add", "/run/hub.conf", "laptop", "--our-endpoint", "192.0.2.1", "--description", "of Alice")
        put("/run/laptop.conf", done.stdout)
        laptop = Written(client, "laptop", ["10.7.0.2/32", "fd07::2/128"]).start()
        client.ping("10.7.0.1")
        client.ping("fd07::1")
        hub.node.ping("10.7.0.2")
    with lab.check("adit show has its name, and wg show is undisturbed"):
        found = shown(lab, "hub")["laptop"]
        assert found["description"] == "of Alice" and found["latest_handshake"], found
        text = hub.node.run([lab.adit, "show", "hub"]).stdout
        assert "\n  peer laptop\n" in text and "\n    description       of Alice\n" in text, text
        dump = hub.node.run("wg show hub dump").stdout.splitlines()
        assert len(dump) == 2 and dump[1].split("\t")[3] == "10.7.0.2/32,fd07::2/128", dump
    with lab.check("the log has its name"):
        hub.daemon.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: re.search(r"^hub: peer laptop \(\S+\): rx_bytes", hub.daemon.log(), re.MULTILINE), "the name")
    with lab.check("wg set keeps the name, and a reload changes it"):
        hub.node.run(["wg", "set", "hub", "peer", found["public_key"], "persistent-keepalive", "25"])
        assert shown(lab, "hub")["laptop"]["persistent_keepalive"] == 25
        with open("/run/hub.d/laptop.conf") as file:
            text = file.read()
        put("/run/hub.d/laptop.conf", text.replace("Name = laptop", "Name = phone"))
        hub.node.run([lab.adit, "reload", "hub"])
        assert list(shown(lab, "hub")) == ["phone"]
        assert shown(lab, "hub")["phone"]["latest_handshake"] == found["latest_handshake"]
        put("/run/hub.d/laptop.conf", text)
        hub.node.run([lab.adit, "reload", "hub"])
    with lab.check("a peer that is removed is gone at once"):
        assert peer(lab, "remove", "/run/hub.conf", "laptop").stderr == ""
        assert hub.node.run("wg show hub peers").stdout == ""
        assert os.listdir("/run/hub.d") == []
        client.no_answer("10.7.0.1")
    with lab.check("a daemon that was started with another file does not know the peer, and add says so"):
        os.mkdir("/run/other")
        put("/run/other/hub.conf", open("/run/hub.conf").read())
        os.mkdir("/run/other/hub.d")
        done = peer(lab, "add", "/run/other/hub.conf", "lost")
        assert "warning: hub was not started with /run/other/hub.conf" in done.stderr, done.stderr
    with lab.check("its address is free again"):
        peer(lab, "add", "/run/hub.conf", "next", "--output", "/run/next.conf")
        assert shown(lab, "hub")["next"]["allowed_ips"] == ["10.7.0.2/32", "fd07::2/128"]
    laptop.stop()


@case()
def two_keys(lab):
    """Each end has made its own key, as in the README."""
    hub, client = hub_of(lab)
    public = hub.node.run([lab.adit, "pubkey"], input=re.search("PrivateKey = (.*)", open("/run/hub.conf").read())[1]).stdout
    with lab.check("three commands at the other end, one here"):
        other = client.run([lab.adit, "init", "/run/right.conf", "--address", "10.7.0.9/24", "--peer", public.strip(),
                            "--endpoint", "192.0.2.1:51820"]).stdout.strip()
        client.run([lab.adit, "check", "--strict", "/run/right.conf"])
        peer(lab, "add", "/run/hub.conf", "right", "--public-key", other, "--address", "10.7.0.9")
        Written(client, "right", ["10.7.0.9/24"]).start()
        client.ping("10.7.0.1")


@case()
def concurrent(lab):
    hub, _ = hub_of(lab)
    with lab.check("adds at the same time wait for each other"):
        adds = [subprocess.Popen(hub.node.words([lab.adit, "peer", "add", "/run/hub.conf", f"p{number}"]),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for number in range(10)]
        assert [add.wait(60) for add in adds] == [0] * 10
        found = [one["allowed_ips"][0] for one in shown(lab, "hub").values()]
        assert sorted(found) == sorted(f"10.7.0.{number}/32" for number in range(2, 12)), found
    with lab.check("so do removals"):
        removals = [subprocess.Popen(hub.node.words([lab.adit, "peer", "remove", "/run/hub.conf", f"p{number}"]))
                    for number in range(10)]
        assert [removal.wait(60) for removal in removals] == [0] * 10
        assert not shown(lab, "hub") and not os.listdir("/run/hub.d")


@case()
def refused(lab):
    """A reload that the host refuses: the port in the file belongs to another program."""
    hub, _ = hub_of(lab)
    peer(lab, "add", "/run/hub.conf", "stays")
    with open("/run/hub.conf") as file:
        text = file.read()
    with open("/run/hub.d/stays.conf") as file:
        stays = file.read()
    put("/run/hub.conf", text.replace("51820", "7777"))
    with hub.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 7777))
        with lab.check("add prints no file, exits with 1 and takes its change back"):
            done = peer(lab, "add", "/run/hub.conf", "comes", "--output", "/run/comes.conf", check=False)
            assert done.returncode == 1 and "Address already in use" in done.stderr, done
            assert os.listdir("/run/hub.d") == ["stays.conf"] and not os.path.exists("/run/comes.conf")
        with lab.check("remove brings the file back"):
            done = peer(lab, "remove", "/run/hub.conf", "stays", check=False)
            assert done.returncode == 1 and "Address already in use" in done.stderr, done
            with open("/run/hub.d/stays.conf") as file:
                assert file.read() == stays
            assert os.listdir("/run/hub.d") == ["stays.conf"]
    with lab.check("the tunnel runs as before"):
        assert list(shown(lab, "hub")) == ["stays"]
        assert hub.node.run("wg show hub listen-port").stdout == "51820\n"


@case()
def included(lab):
    hub, _ = hub_of(lab)
    public = [key(lab.adit, "pubkey", key(lab.adit, "genkey")) for _ in range(2)]
    with lab.check("a reload reads files that were dropped into the folder"):
        put("/run/hub.d/a.conf", f"[Peer]\nPublicKey = {public[0]}\nAllowedIPs = 10.7.0.8/32\n")
        put("/run/hub.d/a.conf~", "no configuration")
        hub.node.run([lab.adit, "reload", "hub"])
        assert hub.node.run("wg show hub allowed-ips").stdout == f"{public[0]}\t10.7.0.8/32\n"
        assert "10.7.0.0/24" in hub.node.run("ip route show dev hub").stdout
    with lab.check("a mistake there is reported with its file, and nothing changes"):
        put("/run/hub.d/b.conf", f"[Peer]\nPublicKey = {public[1]}\nEndpoint = nowhere\n")
        done = hub.node.run([lab.adit, "reload", "hub"], check=False)
        assert done.returncode == 1 and done.stderr.startswith("/run/hub.d/b.conf:3: error: Endpoint: "), done.stderr
        assert hub.node.run("wg show hub peers").stdout == f"{public[0]}\n"
        done = hub.node.run([lab.adit, "check", "/run/hub.conf"], check=False)
        assert done.returncode == 1 and done.stderr.startswith("/run/hub.d/b.conf:3: error: Endpoint: "), done.stderr
    with lab.check("a daemon does not start with it"):
        hub.node.run([lab.adit, "stop", "hub"])
        assert hub.daemon.wait() == 0
        assert hub.node.run([lab.adit, "run", "/run/hub.conf"], check=False).returncode == 78


@case()
def secrets(lab):
    node = lab.node("left")
    private = [key(lab.adit, "genkey") for _ in range(2)]
    public = [key(lab.adit, "pubkey", one) for one in private]
    os.mkdir("/run/credentials", 0o700)
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": "/run/credentials"}
    for interface, line, path in ("tun0", "PrivateKey = @wg", "/run/credentials/wg"), ("tun1", "PrivateKeyFile = k", "/run/k"):
        put(f"/run/{interface}.conf", f"[Interface]\n{line}\n", 0o644)
        put(path, private[0] + "\n")
        with lab.check(f"{line.split(' = ')[0]} outside of the file is read, and read again by a reload"):
            daemon = node.start(interface, [lab.adit, "run", "--strict", f"/run/{interface}.conf"], env=environment)
            wait_for(lambda: os.path.exists(f"/var/run/wireguard/{interface}.sock"), "a socket")
            assert node.run(f"wg show {interface} public-key").stdout == public[0] + "\n"
            put(path, private[1])
            node.run([lab.adit, "reload", interface])
            assert node.run(f"wg show {interface} public-key").stdout == public[1] + "\n"
        with lab.check(f"{line.split(' = ')[0]}: if it is missing, a reload changes nothing"):
            os.unlink(path)
            done = node.run([lab.adit, "reload", interface], check=False)
            assert done.returncode == 1, done
            assert "LoadCredential=wg:PATH" in done.stderr or "/run/k: No such file" in done.stderr, done.stderr
            assert node.run(f"wg show {interface} public-key").stdout == public[1] + "\n"
            node.run([lab.adit, "stop", interface])
            assert daemon.wait() == 0
    with lab.check("--strict refuses a key that others can read, at the start and in check"):
        put("/run/k", private[0], 0o644)
        for command in "run", "check":
            done = node.run([lab.adit, command, "--strict", "/run/tun1.conf"], check=False)
            assert done.returncode == (78 if command == "run" else 1), done
            assert "the mode 0644 of /run/k lets others access the key" in done.stderr, done.stderr
        assert node.run([lab.adit, "check", "/run/tun1.conf"]).returncode == 0
