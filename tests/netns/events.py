# SPDX-License-Identifier: MIT
"""
Events: `adit monitor`, the state of peers, and the hooks PeerUp and PeerDown.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1         tun-right  10.7.0.2, fd07::2
    is monitored

In the case of many peers, left has 100 peers. Right is all of them, one after the other: it changes its private key.
"""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from ends import AditDevice, key, pair
from lab import case, wait_for
from restart import again, managed
from traffic import MIB, stream as transfer

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (\S+) ([a-z-]+)(.*)")
PEERS = 100
CLIENTS = 16  # that never read
QUEUE = 64 << 10  # bytes of events that a daemon keeps for a client
CALLS = "/run/calls"


class Monitor:
    """A running `adit monitor`. Its lines are read from a file."""

    def __init__(self, node, *arguments):
        self.node = node
        self.name = "monitor" + "".join(arguments)
        self.daemon = node.start(self.name, [node.lab.adit, "monitor", *arguments])

    def lines(self):
        """Returns the complete lines. The monitor may be writing another one."""
        return self.daemon.log().rpartition("\n")[0].splitlines()

    def events(self):
        """Returns (interface, event, details) of each line."""
        lines = self.lines()
        assert all(LINE.fullmatch(line) for line in lines), lines
        return [LINE.fullmatch(line).groups() for line in lines]

    def objects(self):
        return [json.loads(line) for line in self.lines()]

    def names(self):
        return [event for _, event, _ in self.events()]

    def wait(self, event, count=1):
        """Waits for the count-th event of this name, and returns its details."""
        found = wait_for(lambda: [details for _, name, details in self.events() if name == event][count - 1:count],
                         f"{event} number {count}")
        return found[0]


def follow(end, *arguments):
    """Starts a monitor and waits until the daemon has accepted it."""
    before = len(open_monitors(end))
    monitor = Monitor(end.node, *arguments, end.interface)
    wait_for(lambda: len(open_monitors(end)) > before, "a monitor that is connected")
    return monitor


def open_monitors(end):
    """
    Returns the sockets of clients that the daemon has accepted. ss(8) lists them under their first name, in the namespace
    of the client.
    """
    lines = [line for node in end.node.lab.nodes.values()
             for line in node.run(["ss", "-xH", "state", "connected"]).stdout.splitlines()]
    return [line for line in lines if f"/wireguard/.{end.interface}." in line]


def check_schema(objects):
    """Validates objects against docs/monitor.schema.json: with python3-jsonschema, or else the names and types alone."""
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "..", "..", "docs", "monitor.schema.json")) as file:
        schema = json.load(file)
    try:
        import jsonschema
    except ImportError:
        jsonschema = None
    for value in objects:
        assert value.keys() <= schema["properties"].keys() and value.keys() >= set(schema["required"]), value
        assert value["event"] in schema["properties"]["event"]["enum"], value
        if jsonschema:
            jsonschema.validate(value, schema)


def ask(end, request):
    """Returns the answer of the control socket to a request, as lines."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(f"/var/run/wireguard/{end.interface}.sock")
        client.sendall(request)
        answer = b""
        while not answer.endswith(b"\n\n"):
            more = client.recv(1 << 20)
            assert more, answer
            answer += more
    return answer.decode().splitlines()


def state(end):
    """Returns the keys of the only peer that concern its state."""
    values = dict(line.split("=", 1) for line in ask(end, b"get=1\n\n") if "=" in line)
    return {name: values.get(name) for name in ("state", "state_since_time_sec", "endpoint_origin")}


@case(workers=[1, 4])
def stream(lab, workers):
    left, right = pair(lab, start=False, Workers=workers)
    left.peers[0]["Name"] = "right hand"
    left.start()
    right.start()
    text, objects = follow(left), follow(left, "--json")
    with lab.check("a peer without a session is idle"):
        found = state(left)
        assert found == {"state": "idle", "state_since_time_sec": None, "endpoint_origin": "configured"}, found
    with lab.check("a handshake, and the peer is up"):
        begin = int(time.time())
        left.node.ping(right.v4)
        assert text.wait("peer-up") == " right hand at 192.0.2.2:51820"
        assert text.names() == ["handshake-begun", "handshake-completed", "peer-up"], text.names()
        assert text.wait("handshake-completed") == " right hand at 192.0.2.2:51820 as initiator"
        found = state(left)
        assert found["state"] == "up" and begin - 1 <= int(found["state_since_time_sec"]) <= time.time() + 1, found
    with lab.check("a peer that moves"):
        right.node.run(f"wg set {right.interface} listen-port 4000")
        right.node.ping(left.v4)
        assert text.wait("endpoint-moved") == " right hand from 192.0.2.2:51820 to 192.0.2.2:4000 (roamed)"
        assert state(left)["endpoint_origin"] == "roamed"
        left.node.run(f"wg set {left.interface} peer {right.public} endpoint 192.0.2.2:4001")
        assert text.wait("endpoint-moved", 2) == " right hand from 192.0.2.2:4000 to 192.0.2.2:4001 (set)"
        assert state(left)["endpoint_origin"] == "set"
        right.node.ping(left.v4)
        assert text.wait("endpoint-moved", 3) == " right hand from 192.0.2.2:4001 to 192.0.2.2:4000 (roamed)"
    with lab.check("reloads"):
        left.reload()
        assert text.wait("reload-applied") == " 1 peer"
        left.settings["MTU"] = "many"
        assert left.reload(check=False).returncode == 1
        assert re.fullmatch(r": .*tun-left.conf:\d+: error: MTU: .*", text.wait("reload-refused"))
        del left.settings["MTU"]
        left.write()
    with lab.check("a repair of the network, and what was missing"):
        left.node.run("ip address delete 10.7.0.1/24 dev tun-left")
        found = text.wait("network-repaired")
        assert re.fullmatch(r" \d repairs?: restored address 10.7.0.1/24.*", found), found
    with lab.check("the link goes down, and the peer with it"):
        left.node.run("ip link set tun-left down")
        assert re.fullmatch(r" right hand at 192.0.2.2:\d+: the link is down", text.wait("peer-down"))
        text.wait("link-up")
        assert ": restored link state up" in text.wait("network-repaired", 2)
        names = text.names()
        assert names.index("link-down") < names.index("peer-down") < names.index("link-up"), names
    with lab.check("a stranger's handshake is refused"):
        right.node.run(f"wg set {right.interface} private-key /dev/stdin", input=key(lab.adit, "genkey"))
        right.node.run("ping -c 1 -W 1 10.7.0.1", check=False)
        assert text.wait("handshake-refused").startswith(" at 192.0.2.2:4000: "), text.wait("handshake-refused")
    with lab.check("the end of the daemon ends the monitors with status 0"):
        assert left.stop() == 0
        assert text.daemon.wait() == 0 and objects.daemon.wait() == 0
        assert text.events()[-1] == ("tun-left", "end", ": the daemon ends"), text.events()[-1]
    with lab.check("JSON has the same events"):
        found = objects.objects()
        assert [value["event"] for value in found] == text.names()
        assert all(value["version"] == 1 and value["interface"] == "tun-left" for value in found)
        times = [value["time"] for value in found]
        assert times == sorted(times) and times[0] >= begin - 1, times
        check_schema(found)
        assert {name: value for name, value in found[2].items() if name != "time"} == {
            "version": 1, "interface": "tun-left", "event": "peer-up", "public_key": right.public,
            "name": "right hand", "endpoint": "192.0.2.2:51820"}, found[2]


@case()
def silence(lab):
    """A peer that does not answer is silent after 15 s; one to which there is no route is unreachable at once."""
    left, right = pair(lab)
    text = follow(left)
    left.node.ping(right.v4)
    text.wait("peer-up")
    with lab.check("unreachable"):
        left.node.run("ip address flush dev wan")
        left.node.run("ping -c 1 -W 1 10.7.0.2", check=False)
        assert text.wait("peer-down") == f" {right.public} at 192.0.2.2:51820: this host has no route there"
        assert state(left)["state"] == "unreachable"
        left.node.add_address("wan", "192.0.2.1/24")
        left.node.ping(right.v4)
        text.wait("peer-up", 2)
        assert state(left)["state"] == "up"
    with lab.check("silent"):
        with right.daemon.held():
            begin = time.monotonic()
            left.node.run("ping -c 1 -W 1 10.7.0.2", check=False)
            assert text.wait("peer-down", 2).endswith(": it does not answer")
            assert time.monotonic() - begin > 14
            assert state(left)["state"] == "silent"
        left.node.ping(right.v4)
        text.wait("peer-up", 3)
        assert state(left)["state"] == "up"
    left.stop()
    text.daemon.wait()


@case()
def all_interfaces(lab):
    left, right = pair(lab, start=False)
    everything = Monitor(left.node)
    left.start()
    wait_for(lambda: open_monitors(left), "a monitor of an interface that appears later")
    right.start()
    wait_for(lambda: open_monitors(right), "a monitor of the second interface")
    with lab.check("both interfaces are followed"):
        left.node.ping(right.v4)
        wait_for(lambda: {name for name, event, _ in everything.events() if event == "peer-up"} ==
                 {"tun-left", "tun-right"}, "peer-up of both")
    with lab.check("an interface that ends and comes back"):
        assert left.stop() == 0
        everything.wait("end")
        left.start()
        wait_for(lambda: open_monitors(left), "a monitor of the new daemon")
        left.node.ping(right.v4)
        everything.wait("peer-up", 3)
    with lab.check("a daemon that is killed"):
        left.stop(signal.SIGKILL)
        assert everything.wait("end", 2) == ": the daemon closed the connection"
    with lab.check("SIGINT ends it quietly"):
        before = everything.daemon.log()
        everything.daemon.process.send_signal(signal.SIGINT)
        assert everything.daemon.wait() == -signal.SIGINT
        assert everything.daemon.log() == before
    with lab.check("a closed pipe ends it quietly, although nothing happens"):
        read, write = os.pipe()
        process = subprocess.Popen(right.node.words([lab.adit, "monitor", "tun-right"]), stdout=write,
                                   stderr=subprocess.PIPE, text=True)
        os.close(write)
        wait_for(lambda: len(open_monitors(right)) == 1, "a monitor")
        os.close(read)
        assert process.wait(60) == 0 and process.stderr.read() == ""
    with lab.check("errors"):
        done = left.node.run([lab.adit, "monitor", "nosuch"], check=False)
        assert done.returncode == 1 and done.stderr == "adit monitor: nosuch: no daemon serves this interface\n", done


# --- hooks ---


def calls():
    if not os.path.exists(CALLS):
        return []
    with open(CALLS) as file:
        return file.read().splitlines()


def wait_for_calls(expected):
    wait_for(lambda: len(calls()) >= len(expected), f"{len(expected)} calls, not {calls()}")
    assert calls() == expected, f"{calls()}, not {expected}"


@case(workers=[1, 4])
def hooks(lab, workers):
    left, right = pair(lab, start=False, Workers=workers)
    name = "it's \"$(touch /run/hacked)\" `touch /run/hacked`;"
    left.peers[0] |= {"Name": name, "PeerUp": f"echo own %k >>{CALLS}"}
    left.settings |= {"PeerUp": f"printf '%%s\\n' \"%n at %e\" >>{CALLS}".replace("%%", "%"),
                      "PeerDown": f"echo down %i $ADIT_EVENT \"$ADIT_REASON\" >>{CALLS}; exit 3"}
    with lab.check("adit check accepts the file"):
        done = left.node.run([lab.adit, "check", left.write()])
        assert "warning" not in done.stderr and "error" not in done.stderr, done.stderr
    left.start()
    right.start()
    up = [f"{name} at 192.0.2.2:51820", f"own {right.public}"]
    down = ["down tun-left PeerDown the link is down"]
    with lab.check("PeerUp: the commands of [Interface], then those of [Peer]; no name becomes code"):
        left.node.ping(right.v4)
        wait_for_calls(up)
        assert not os.path.exists("/run/hacked")
    with lab.check("a renewal of the session and a reload run nothing"):
        left.reload()
        left.node.run(f"wg set {left.interface} peer {right.public} persistent-keepalive 1")
        left.node.ping(right.v4)
        assert calls() == up, calls()
        left.node.run(f"wg set {left.interface} peer {right.public} persistent-keepalive 0")
    with lab.check("PeerDown, and a failure in the log"):
        time.sleep(1.1)  # if the commands of a peer are due twice in a second, only its last state counts
        left.node.run("ip link set tun-left down")
        wait_for_calls(up + down)
        wait_for(lambda: "PeerDown: failed with status 3: " in left.daemon.log(), "the failure")
        assert "peer it's" in left.daemon.log()
    with lab.check("the end of the tunnel runs PeerDown, and then PostDown"):
        wait_for(lambda: not left.node.run("ping -c 1 -W 1 10.7.0.2", check=False).returncode, "an answer")
        wait_for_calls(up + down + up)
        left.settings |= {"PostDown": f"echo end >>{CALLS}", "SaveConfig": "true"}
        left.reload()
        left.node.run(f"wg set {left.interface} peer {right.public} persistent-keepalive 25")
        assert left.stop() == 0
        assert calls() == up + down + up + down + ["end"], calls()
    with lab.check("SaveConfig keeps the commands"):
        with open(f"/run/{left.interface}.conf") as file:
            saved = file.read()
        assert saved == left.text() + "PersistentKeepalive = 25\n", saved


@case(how=["restart", "SIGKILL"])
def restart(lab, how):
    """A process that takes over runs hooks only for the peers that have changed."""
    left, right = pair(lab, start=False, PeerUp=f"echo up %k >>{CALLS}", PeerDown=f"echo down %k >>{CALLS}")
    del right.settings["PeerUp"], right.settings["PeerDown"]
    right.start()
    with managed(left) as manager:
        manager.start()
        left.node.ping(right.v4)
        wait_for_calls([f"up {right.public}"])
        with lab.check("a peer that was up and still is"):
            again(manager, how)
            monitor = follow(left)
            left.node.ping(right.v4)
            wait_for(lambda: state(left)["state"] == "up", "a session")
            again(manager, how)
            wait_for(lambda: state(left)["state"] == "up", "a session")
            assert calls() == [f"up {right.public}"], calls()
            assert monitor.daemon.wait() == 0
            assert {event for _, event, _ in monitor.events()} <= {"handshake-begun", "handshake-completed", "end",
                                                                  "endpoint-moved"}, monitor.events()
        with lab.check("a peer that is gone afterwards"):
            assert right.stop() == 0
            again(manager, how)
            wait_for_calls([f"up {right.public}", f"down {right.public}"])
        assert manager.stop() == 0


# --- many ---


@case(workers=[1, 4])
def many_peers(lab, workers):
    """100 peers go up and down: exactly the expected events and hook calls, in order per peer."""
    left, right = pair(lab, right=AditDevice, knows="right", start=False, Workers=workers, Table="off")
    secrets = [key(lab.adit, "genkey") for _ in range(PEERS)]
    publics = [key(lab.adit, "pubkey", secret) for secret in secrets]
    addresses = [f"10.8.0.{number + 1}" for number in range(PEERS)]
    left.settings |= {point: f"echo {point} %n >>{CALLS}" for point in ("PeerUp", "PeerDown")}
    left.peers = [{"PublicKey": public, "Name": f"peer {number}", "AllowedIPs": f"{address}/32"}
                  for number, (public, address) in enumerate(zip(publics, addresses))]
    left.start()
    left.node.run("ip route add 10.8.0.0/24 dev tun-left")
    right.settings = {}
    right.start()
    for address in addresses:
        right.node.add_address(right.interface, f"{address}/32")
    monitor = follow(left)
    expected = {f"peer {number}": [] for number in range(PEERS)}

    def seen():
        found = {name: [] for name in expected}
        for _, event, details in monitor.events():
            if event in ("peer-up", "peer-down"):
                found[re.match(r" (peer \d+)", details)[1]].append(event)
        return found

    def called():
        found = {name: [] for name in expected}
        for line in calls():
            point, name = line.split(" ", 1)
            found[name].append({"PeerUp": "peer-up", "PeerDown": "peer-down"}[point])
        return found

    def up_and_down():
        """
        Each peer comes up with a ping and is gone then, because right becomes the next one. So left's answer to the ping
        has no answer, and the peer goes down after 15 s.
        """
        for secret, address in zip(secrets, addresses):
            right.set_key(secret)
            right.node.run(f"ping -n -q -c 1 -W 10 -I {address} 10.7.0.1")
        right.set_key(key(lab.adit, "genkey"))
        for list_of in expected.values():
            list_of += ["peer-up", "peer-down"]
        wait_for(lambda: seen() == expected, "the events of all peers", 120)
        wait_for(lambda: called() == expected, "the hooks of all peers", 120)

    with lab.check("all go up, and down because they do not answer"):
        up_and_down()
    with lab.check("all come back, and go down again"):
        up_and_down()
    with lab.check("peers that are down already are removed without an event"):
        peers, left.peers = left.peers, []
        left.reload()
        left.peers = peers
    with lab.check("nothing more happened, and nothing was lost"):
        assert left.stop() == 0
        assert monitor.daemon.wait() == 0
        assert seen() == expected and called() == expected
        assert "lost" not in monitor.names() and monitor.names().count("end") == 1


# --- hostile clients ---


def resident(end):
    with open(f"/proc/{end.daemon.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) << 10


def read_all(client):
    """
    Reads the events that wait, and the number of those that were lost, which the daemon appends when its queue is empty.
    Returns the number of moves, and of the lost events.
    """
    data = b""
    client.settimeout(20)
    while not re.search(rb"event=lost\n[^\0]*\n\n\Z", data):
        more = client.recv(1 << 20)
        assert more, data[-200:]
        data += more
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in data.decode().split("\n\n") if block]
    assert blocks[0] == {"errno": "0"}, blocks[0]
    assert {block["event"] for block in blocks[1:]} == {"endpoint-moved", "lost"}, blocks
    return len(blocks) - 2, int(blocks[-1]["lost"])


@case(workers=[1, 4], bars=True)
def hostile_clients(lab, workers):
    """16 clients that never read, during a transfer: packets flow, memory is bounded, and losses are counted."""
    left, right = pair(lab, start=False, Workers=workers)
    other = key(lab.adit, "pubkey", key(lab.adit, "genkey"))
    left.peers.append({"PublicKey": other, "AllowedIPs": "10.9.0.1/32"})
    left.start()
    right.start()
    left.node.ping(right.v4)
    counter = follow(left, "--json")
    before = transfer(left.node, right.node, right.v4, 64 * MIB)
    memory = resident(left)
    clients = []
    for _ in range(CLIENTS - 1):
        client = socket.socket(socket.AF_UNIX)
        client.connect(f"/var/run/wireguard/{left.interface}.sock")
        client.sendall(b"monitor=1\n\n")
        clients.append(client)
    public = base64.b64decode(other).hex()
    begun = threading.Event()
    moves = 0

    def flood():
        nonlocal moves
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"/var/run/wireguard/{left.interface}.sock")
            while not begun.is_set() or moves < 20000:
                request = "".join(f"set=1\npublic_key={public}\nendpoint=192.0.2.77:{1000 + (moves + i) % 2}\n\n"
                                  for i in range(50))
                control.sendall(request.encode())
                answer = b""
                while answer.count(b"errno=0\n\n") < 50:
                    answer += control.recv(65536)
                moves += 50

    thread = threading.Thread(target=flood)
    thread.start()
    with lab.check("a transfer is complete while the events flood"):
        during = transfer(left.node, right.node, right.v4, 64 * MIB)
        transfer(right.node, left.node, left.v4, 64 * MIB)
    with lab.check("the control socket answers"):
        assert any(line == "errno=0" for line in ask(left, b"get=1\n\n"))
    begun.set()
    thread.join()
    with lab.check("memory is bounded"):
        grown = resident(left) - memory
        assert grown < 16 * QUEUE + 4 * MIB, f"{grown >> 10} KiB"
    lab.bar("the transfer takes at most 3 times as long", before / during, 3)
    with lab.check("each client learns how many events it has lost"):
        for client in clients:
            events, lost = read_all(client)
            assert lost > 10000 and events + lost == moves, f"{events} + {lost} of {moves}"
            client.close()
    with lab.check("a client that reads gets most of them"):
        def received():
            found = [value for value in counter.objects() if value["event"] in ("endpoint-moved", "lost")]
            return sum(value.get("lost", 1) for value in found)
        wait_for(lambda: received() == moves, f"{moves} events")
    left.stop()
    counter.daemon.wait()
