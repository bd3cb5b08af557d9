# SPDX-License-Identifier: MIT
"""
Prometheus, its alert rules and the dashboard for Grafana, with the metrics of real tunnels and of one that is made up.

    left  192.0.2.1, Prometheus and `adit metrics --http` on localhost  ----  right  192.0.2.2
    tun-left 10.7.0.1, and the control socket of `fake`                       tun-right  10.7.0.2

The control sockets of all daemons are in one folder, so Prometheus reads the metrics of three interfaces.
"""

import base64
import http.client
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.parse

from ends import AditDevice, WireguardGo, counters_of, pair
from fake_daemon import STATES, FakeDaemon
from flood import Flood, lay
from lab import TIMEOUT, Skip, case, wait_for
from metrics import ACCEPT, ask, parse, value
from reload import resources
from traffic import MIB, Flow, both_ways

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RULES = os.path.join(TOP, "conf", "prometheus", "adit.rules.yml")
DASHBOARD = os.path.join(TOP, "conf", "grafana", "adit.json")
INETD = os.path.join(TOP, "tests", "netns", "inetd.py")
PORT, PROMETHEUS = 9586, 9090
VARIABLES = {"$__rate_interval": "30s", "$instance": ".*", "$interface": ".*"}
CLIENTS = 16

CONFIG = f"""
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [{RULES}]
scrape_configs:
  - job_name: adit
    static_configs:
      - targets: ["127.0.0.1:{PORT}"]
"""


def promtool(*arguments, text=None):
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{arguments}: {done.stdout} {done.stderr}"
    return done.stdout + done.stderr


def dashboard():
    with open(DASHBOARD) as file:
        return json.load(file)


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions_of_rules():
    """Returns the expressions of the alert rules, without a parser for YAML."""
    with open(RULES) as file:
        return re.findall(r"^ +expr: (?:\|\n)?((?:.*\n)(?: {10}.*\n)*)", file.read(), re.MULTILINE)


def names_in(expressions):
    return set(re.findall(r"\badit_\w+", " ".join(expressions)))


class Client:
    """Asks Prometheus in a namespace."""

    def __init__(self, node):
        self.node = node

    def get(self, path, **parameters):
        """Returns the data of an answer, or None if there is no answer yet."""
        connection = http.client.HTTPConnection("127.0.0.1", PROMETHEUS, timeout=20)
        try:
            connection.sock = self.node.socket(socket.AF_INET, socket.SOCK_STREAM)
            connection.sock.connect(("127.0.0.1", PROMETHEUS))
            connection.request("GET", f"{path}?{urllib.parse.urlencode(parameters)}")
            answer = connection.getresponse()
            body = answer.read()
        except ConnectionRefusedError:
            return None
        finally:
            connection.close()
        if answer.status == 503:  # not ready
            return None
        assert answer.status == 200, f"{path} {parameters}: {answer.status} {body[:300]}"
        return json.loads(body)["data"]

    def query(self, expression):
        """Returns the series that an expression has now."""
        found = self.get("/api/v1/query", query=expression)
        return found["result"] if found else []


def start_prometheus(node):
    if not shutil.which("prometheus"):
        raise Skip("prometheus is not installed")
    with open("/run/prometheus.yml", "w") as file:
        file.write(CONFIG)
    node.start("inetd", [sys.executable, INETD, PORT, node.lab.adit, "metrics", "--http"])
    node.start("prometheus", ["prometheus", "--config.file=/run/prometheus.yml", "--storage.tsdb.path=/run/tsdb",
                              f"--web.listen-address=127.0.0.1:{PROMETHEUS}", "--log.level=warn"])
    return Client(node)


@case()
def rules(lab):
    with lab.check("promtool accepts the alert rules"):
        promtool("check", "rules", RULES)
    with lab.check("each alert fires for its cause, and not before"):
        promtool("test", "rules", os.path.join(TOP, "tests", "prometheus", "adit.rules.test.yml"))
    with open(RULES) as file:
        alerts = set(re.findall(r"alert: (\w+)", file.read()))
    with lab.check("each alert has a test"):
        with open(os.path.join(TOP, "tests", "prometheus", "adit.rules.test.yml")) as file:
            tested = set(re.findall(r"alertname: (\w+)", file.read()))
        assert alerts == tested and len(alerts) == len(expressions_of_rules()), f"{alerts} and {tested}"
    with lab.check("adit(8) names each alert"):
        with open(os.path.join(TOP, "man", "adit.8")) as file:
            page = file.read()
        assert all(alert in page for alert in alerts), alerts


@case()
def structure(lab):
    """The dashboard has the structure that Grafana expects."""
    board = dashboard()
    with lab.check("the dashboard has an identity, variables and panels"):
        assert board["uid"] and board["title"] and isinstance(board["schemaVersion"], int), board.keys()
        variables = {variable["name"] for variable in board["templating"]["list"]}
        assert variables == {"datasource", "instance", "interface"}, variables
        assert len(panels(board)) >= 15
    with lab.check("panels have their own numbers, do not overlap and fit the grid of 24 columns"):
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers), numbers
        cells = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert 0 <= place["x"] and place["x"] + place["w"] <= 24, f"{panel['title']}: {place}"
            mine = set(itertools.product(range(place["x"], place["x"] + place["w"]),
                                         range(place["y"], place["y"] + place["h"])))
            assert not mine & cells, f"{panel['title']} overlaps another panel"
            cells |= mine
    with lab.check("each panel says what it shows, and each query has a letter and the data source of the dashboard"):
        for panel in panels(board):
            assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel
            letters = [target["refId"] for target in panel["targets"]]
            assert len(set(letters)) == len(letters) > 0, panel["title"]
            for target in panel["targets"]:
                assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
                assert target["expr"].strip(), panel["title"]


@case()
def exposition(lab):
    """The metrics of adit, of wireguard-go and of a daemon with peers in all states."""
    left, right = pair(lab, left=AditDevice, right=WireguardGo)
    fake = FakeDaemon("fake", 12, frozen=True)
    left.node.ping(right.v4)
    for accept, openmetrics in ("", False), (ACCEPT, True):
        _, text, _ = ask(left, f"GET /metrics HTTP/1.1\r\n{accept}\r\n".encode())
        kind = "OpenMetrics" if openmetrics else "the text format"
        with lab.check(f"{kind}: the parser of Prometheus accepts it"):
            samples, families = parse(text, openmetrics)
        with lab.check(f"{kind}: each peer has a state, and those that are up have quality"):
            for number in range(12):
                labels = {"interface": "fake", "public_key": fake.public(number), "name": f"peer {number}"}
                state = STATES[number % 6]
                assert value(samples, "adit_peer_state", state=state, **labels) == 1
                assert value(samples, "adit_peer_up", **labels) == (state == "up")
                assert value(samples, "adit_peer_receive_datagrams_total", **labels) == 98
                assert value(samples, "adit_peer_receive_lost_datagrams_total", **labels) == 2
                assert value(samples, "adit_peer_receive_late_datagrams_total", **labels) == 10
                assert value(samples, "adit_peer_receive_duplicate_datagrams_total", **labels) == 5
                assert value(samples, "adit_peer_rtt_seconds", **labels) == 0.012345678
                assert value(samples, "adit_peer_rtt_min_seconds", **labels) == 0.011
                assert value(samples, "adit_peer_jitter_seconds", **labels) == 0.00025
            assert value(samples, "adit_interface_warnings", interface="fake") == 1
            assert value(samples, "adit_interface_start_time_seconds", interface="fake") == fake.started
        with lab.check(f"{kind}: wireguard-go has a state by its handshakes, but no quality and no histograms"):
            theirs = {name for name, labels in samples if ("interface", right.interface) in labels}
            assert "adit_peer_rtt_seconds" not in theirs and not [name for name in theirs if "batch" in name], theirs
            labels = {"interface": right.interface, "public_key": left.public}
            assert value(samples, "adit_peer_up", **labels) == value(samples, "adit_peer_state", state="up", **labels) == 1
        with lab.check(f"{kind}: types and units are declared"):
            assert families["adit_udp_send_batch_datagrams"].type == "histogram"
            assert families["adit_handshakes"].type == "counter"
            assert not openmetrics or families["adit_peer_rtt_seconds"].unit == "seconds"
    with lab.check("promtool finds nothing to improve in names and units"):
        _, text, _ = ask(left, b"GET /metrics HTTP/1.1\r\n\r\n")
        found = promtool("check", "metrics", text=text)
        assert not found.strip(), found


@case()
def batches(lab):
    """The histograms of a transfer, whose sums are known from other counters."""
    left, right = pair(lab)
    both_ways(left.node, left.v4, right.node, right.v4, 16 * MIB)

    def read(end):
        text = end.node.run([lab.adit, "metrics", end.interface]).stdout
        samples, _ = parse(text)
        return samples, counters_of(end)

    for end in left, right:
        samples, counters = wait_for(lambda: (lambda first, second: first if first == second else None)(
            read(end), read(end)), "counters that do not change")
        labels = {"interface": end.interface}
        with lab.check(f"{end.node.name}: the sums and counts are those of the counters"):
            assert value(samples, "adit_udp_send_batch_datagrams_sum", **labels) == counters["sent"], counters
            assert value(samples, "adit_udp_receive_batch_datagrams_sum", **labels) == counters["received"], counters
            assert value(samples, "adit_tun_read_batch_packets_count", **labels) == counters["tun_read"], counters
            assert value(samples, "adit_tun_write_batch_packets_count", **labels) == counters["tun_written"], counters
        for name in ("adit_udp_send_batch_datagrams", "adit_udp_receive_batch_datagrams", "adit_tun_read_batch_packets",
                     "adit_tun_write_batch_packets"):
            with lab.check(f"{end.node.name}: {name}: buckets grow up to the count"):
                buckets = [value(samples, f"{name}_bucket", le=le, **labels)
                           for le in ("1.0", "3.0", "7.0", "15.0", "31.0", "63.0", "127.0", "+Inf")]
                count, total = (value(samples, f"{name}_{part}", **labels) for part in ("count", "sum"))
                assert buckets == sorted(buckets) and buckets[-1] == count > 0, buckets
                least = sum(low * (high - before) for low, high, before in
                            zip((1, 2, 4, 8, 16, 32, 64, 128), buckets, [0, *buckets]))
                most = sum(top * (high - before) for top, high, before in
                           zip((1, 3, 7, 15, 31, 63, 127), buckets, [0, *buckets])) + 65535 * (count - buckets[-2])
                assert least <= total <= most, f"{least} <= {total} <= {most}"
    with lab.check("a bulk transfer makes batches of more than one packet"):
        assert value(samples, "adit_tun_read_batch_packets_sum", **labels) > \
            value(samples, "adit_tun_read_batch_packets_count", **labels)


@case()
def outcomes(lab):
    left, right = pair(lab, start=False)
    left.start()
    left.node.run(f"ping -n -q -c 1 -W 1 {right.v4}", check=False)

    def handshakes(end):
        samples, _ = parse(end.node.run([lab.adit, "metrics", end.interface]).stdout)
        return {dict(labels)["outcome"]: number for (name, labels), number in samples.items()
                if name == "adit_handshakes_total"}

    with lab.check("an initiation without an answer is counted"):
        wait_for(lambda: handshakes(left)["unanswered"] >= 1, "an unanswered initiation")
        assert handshakes(left)["completed"] == 0
    with lab.check("a handshake is counted at both ends"):
        right.start()
        wait_for(lambda: handshakes(left)["completed"] == 1, "a handshake")
        assert handshakes(right)["completed"] == 1
    with lab.check("a message for another key is counted"):
        with right.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"\1\0\0\0" + bytes(144), ("192.0.2.1", left.port))
        wait_for(lambda: handshakes(left)["wrong_mac"] == 1, "the message")


@case()
def queries(lab):
    """Prometheus scrapes three interfaces, and each query of the dashboard has data."""
    left, right = pair(lab)
    FakeDaemon("fake", 6)
    prometheus = start_prometheus(left.node)
    flow = Flow(left.node, right.node, right.v4, max_rate=MIB)
    left.node.start("ping", ["ping", "-n", "-q", "-i", "0.2", "10.7.0.99"]).over = True  # no peer has this address
    with lab.check("Prometheus scrapes all interfaces"):
        wait_for(lambda: len(prometheus.query("adit_up == 1")) == 3, "three interfaces")
        targets = prometheus.get("/api/v1/targets")["activeTargets"]
        assert [target["health"] for target in targets] == ["up"], targets
    with lab.check("Prometheus knows each metric of the dashboard and of the rules"):
        used = names_in([target["expr"] for panel in panels(dashboard()) for target in panel["targets"]]
                        + expressions_of_rules())
        known = set(prometheus.get("/api/v1/label/__name__/values"))
        assert len(used) >= 20 and used <= known, used - known
    for panel in panels(dashboard()):
        for target in panel["targets"]:
            expression = target["expr"]
            for name, text in VARIABLES.items():
                expression = expression.replace(name, text)
            with lab.check(f"the panel {panel['title']}, query {target['refId']}, has data"):
                assert "$" not in expression, expression
                found = wait_for(lambda: prometheus.query(expression), expression)
                legend = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
                assert any(legend <= series["metric"].keys() for series in found), f"{legend}: {found[:3]}"
    with lab.check("variables of the dashboard have values"):
        for name in "instance", "interface":
            assert prometheus.get(f"/api/v1/label/{name}/values"), name
    with lab.check("all rules are evaluated, and the silent peer is noticed"):
        found = prometheus.get("/api/v1/rules")["groups"][0]["rules"]
        assert {rule["health"] for rule in found} == {"ok"}, found
        states = {rule["name"]: rule["state"] for rule in found}
        assert states["AditPeerSilent"] in ("pending", "firing") and states["AditDown"] == "inactive", states
    with lab.check("what Prometheus has stored for the loss is what the daemon reports"):
        ratio = "sum(adit_peer_receive_lost_datagrams_total) / sum(adit_peer_receive_lost_datagrams_total + " \
                "adit_peer_receive_datagrams_total)"
        fake = ratio.replace("_total", '_total{interface="fake"}')
        assert abs(float(prometheus.query(fake)[0]["value"][1]) - 0.02) < 0.001
    flow.stop()


def strangers(count):
    """Peers that are configured and do not exist."""
    return [{"PublicKey": base64.b64encode(os.urandom(32)).decode(), "Name": f"peer {number}",
             "AllowedIPs": f"10.8.{number // 256}.{number % 256}/32"} for number in range(count)]


def hold_clients(lab, end, flow):
    """Starts clients of `end` that send a request and never read, while a flow crosses the tunnel, and ends both."""
    before = resources(end.daemon.pid)
    scrapes, ours = [], []
    for _ in range(CLIENTS):
        mine, theirs = socket.socketpair()
        mine.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        mine.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        scrapes.append(subprocess.Popen(end.node.words([lab.adit, "metrics", "--http", end.interface]), stdin=theirs,
                                        stdout=theirs))
        theirs.close()
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(f"/var/run/wireguard/{end.interface}.sock")
        raw.sendall(b"get=1\n\ncounters=1\n\n" * 50)
        ours += [mine, raw]
    with lab.check("no scrape ends while its client does not read"):
        flow.rate(2)
        assert all(scrape.poll() is None for scrape in scrapes)
    with lab.check("another scrape is answered completely"):
        samples, _ = parse(end.node.run([lab.adit, "metrics", end.interface]).stdout)
        assert value(samples, "adit_up", interface=end.interface) == 1
        assert value(samples, "adit_interface_peers", interface=end.interface) == len(end.peers)
    with lab.check("data still flows, and arrives complete"):
        arrived = flow.receiver.length
        wait_for(lambda: flow.receiver.length > arrived, "more data")
        flow.stop()
    with lab.check("memory of the daemon does not grow"):
        after = resources(end.daemon.pid)
        assert after[0] <= before[0] + 4096 and after[1] <= before[1] + CLIENTS + 1, f"before: {before}, after: {after}"
    with lab.check("each scrape gives up, and the daemon closes the connections"):
        for scrape in scrapes:
            assert scrape.wait(2 * TIMEOUT) == 0
        for client in ours:
            client.close()
        wait_for(lambda: resources(end.daemon.pid)[1] <= before[1], "closed connections")


@case()
def clients_that_never_read(lab):
    """Scrapes, and connections to the control socket."""
    left, right = pair(lab, start=False, Table="off")
    left.peers += strangers(2000)
    left.start()
    right.start()
    for address, node in ((right.v4, left.node), (left.v4, right.node)):
        node.run(f"ip route replace {address} dev tun-{node.name}")
    left.node.ping(right.v4)
    flow = Flow(left.node, right.node, right.v4)
    flow.rate(1)
    hold_clients(lab, left, flow)


@case(slow=True, alone=True)
def clients_that_never_read_during_a_flood(lab):
    """The same, while the host receives a flood of handshake initiations."""
    left, right, flooder = lay(lab)
    right.peers += strangers(2000)
    right.write()
    right.node.run([lab.adit, "reload", right.interface])
    flow = Flow(left.node, right.node, right.v4)
    Flood(flooder, right, right.port, 2).end()  # lets adit allocate what it needs under load
    flood = Flood(flooder, right, right.port, 10 * TIMEOUT)
    flow.rate(1)
    hold_clients(lab, right, flow)
    with lab.check("the flood lasted until the end"):
        assert flood.process.poll() is None
    flood.process.kill()
