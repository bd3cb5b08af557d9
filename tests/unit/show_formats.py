#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Checks the output formats of `adit show` with daemons that only answer: JSON against docs/show.schema.json, SVG, text for a
pipe and for a terminal, rates, and names that try to control the terminal.

show_formats.py SOURCE-FOLDER ADIT
"""
import json
import os
import pathlib
import pty
import random
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

import fake_daemons
from fake_daemons import Daemon, interface, key, peer

TOP, ADIT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
EMULATOR = os.environ.get("EMULATOR", "").split()
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x7f\x9b31m\u202eabc\u2028<b>&\""
STATES = ["up", "idle", "waiting", "silent", "no-endpoint", "unreachable"]
ORIGINS = ["configured", "resolved", "roamed", "set", "saved"]


class Skip(Exception):
    """This machine lacks what the check needs."""


def adit(*words, code=0, **more):
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    done = subprocess.run([*EMULATOR, ADIT, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, env=environment | more)
    assert done.returncode == code, f"{words}: exit code {done.returncode}: {done.stderr}"
    return done.stdout if code == 0 else done.stderr


def show(*words, **more):
    return adit("show", *words, **more)


def show_on_terminal(*words, **more):
    """Runs the command on a terminal of its own and returns what it writes."""
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen([*EMULATOR, ADIT, "show", *words], stdin=slave, stdout=slave, env=environment | more)
    os.close(slave)
    text = b""
    try:
        while part := os.read(master, 65536):
            text += part
    except OSError:  # the end of a terminal
        pass
    os.close(master)
    assert process.wait(60) == 0
    return text.decode()


def start(**daemons):
    """Starts daemons for one check. A value is a function that makes the answer to get=1, or a dictionary of requests."""
    for name, answers in daemons.items():
        Daemon(name, answers if isinstance(answers, dict) else {"get=1": answers})


def all_states():
    """Peers in each state, learned in each way, with and without each value."""
    peers = [peer(i, name=f"peer-{state}", state=state, since=i, endpoint="192.0.2.1:9", origin=origin, reason="because")
             for i, (state, origin) in enumerate((state, origin) for state in STATES for origin in ORIGINS)]
    peers += [peer(100, state="up"), peer(101, state="a word of tomorrow", origin="another", endpoint="[fe80::1%7]:1"),
              peer(102, counts=(0, 0, 0, 0)), peer(103, counts=(5, 1, 2, 3), rtt=1), peer(104, rtt=10**12),
              peer(105, counts=(2**63, 2**63 - 1, 2**64 - 1, 2**64 - 1), received=2**64 - 1, sent=2**64 - 1),
              peer(106, name=HOSTILE, description=HOSTILE, reason=HOSTILE, state="silent", since=9, handshake=9,
                   prefixes=["0.0.0.0/0", "::/0"], keepalive=65535),
              peer(107, name="名前", description="é" * 300), peer(108, name="\udcff\udcc3"),
              lambda now: [f"public_key={key(109)}", "preshared_key=" + "11" * 32, "allowed_ip=fd00::/8"]]
    return interface(peers, "log_level=debug", "fwmark=0", "warning=one", "warning=" + HOSTILE, "new_key=7")


def check_members(schema, part, value):
    """Each member of the document is described in the schema."""
    part = {**schema["$defs"].get(part.get("$ref", "").removeprefix("#/$defs/"), {}), **part}
    if isinstance(value, dict) and "additionalProperties" not in part:
        for name, member in value.items():
            assert name in part["properties"], f"the schema lacks {name}"
            check_members(schema, part["properties"][name], member)
    elif isinstance(value, list):
        for member in value:
            check_members(schema, part["items"], member)


def the_json_has_the_schema_in_all_states():
    try:
        import jsonschema
    except ImportError:
        raise Skip("no python3-jsonschema")
    schema = json.loads((TOP / "docs/show.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    start(states=all_states(), three={"get=1": fake_daemons.three, "counters=1": lambda: fake_daemons.counters},
          many=fake_daemons.many(), foreign=interface([peer(1)], adit=False), bare=lambda: [],
          unset=interface([], private="00" * 32))
    for words in [[name] for name in ("states", "three", "many", "foreign", "bare", "unset")] + [["three", "alice"], []]:
        for option in [[], ["--counters"]]:
            document = json.loads(show(*words, "--json", *option))
            validator.validate(document)
            check_members(schema, schema, document)
            has_counters = ["counters" in found for found in document["interfaces"] if found["name"] == "three"]
            assert all(has == bool(option) for has in has_counters), document
    fake_daemons.close_all()
    document = json.loads(show("--json"))
    validator.validate(document)
    assert document == {"version": 1, "interfaces": []}
    for wrong in [{"version": 2, "interfaces": []}, {"interfaces": []}, {"version": 1, "interfaces": [{"name": "x"}]}]:
        assert not validator.is_valid(wrong), wrong


def the_json_has_the_values():
    start(three={"get=1": fake_daemons.three, "counters=1": lambda: fake_daemons.counters}, states=all_states())
    document = json.loads(show("three", "--json", "--counters"))
    found = document["interfaces"][0]
    alice, berlin, carol = found["peers"]
    assert found["warnings"] == [fake_daemons.WARNING.removeprefix("warning=")] and found["log_level"] == "info"
    assert found["counters"]["drop_no_peer"] == 12 and found["counters"]["batch_udp_send"] == [5, 0, 7, 1, 0, 0, 900, 2]
    assert (alice["state"], alice["state_reason"], alice["endpoint_origin"]) == ("up", None, "roamed")
    assert (alice["rtt_ns"], alice["rtt_min_ns"], alice["jitter_ns"]) == (12300000, 11070000, 492000)
    assert (alice["rx_datagrams"], alice["rx_lost"], alice["rx_late"]) == (184223, 41, 3)
    assert alice["rx_gaps"] == [41, 0, 0, 0, 0, 0, 0, 0] and berlin["rx_duplicate"] == 7
    assert abs(alice["state_since"] - time.time() + 2 * 3600 + 300) < 60
    assert carol["state"] == "unreachable"
    assert carol["state_reason"] == "cannot send to 203.0.113.80:51820: this host has no route there"
    peers = json.loads(show("states", "--json"))["interfaces"][0]["peers"]
    words = [(found["state"], found["endpoint_origin"]) for found in peers]
    assert words[:30] == [(state, origin) for state in STATES for origin in ORIGINS]
    assert words[31] == ("idle", None) and words[-1] == ("no-endpoint", None) and peers[-1]["preshared_key"] is True
    assert "1111111111" not in show("states", "--details") + show("states", "--json")


def text_cannot_control_a_terminal():
    start(states={"get=1": all_states(), "counters=1": lambda: [f"{HOSTILE}=7", "sealed=1"]})
    for words in (["--details"], ["--brief"], ["states", "--counters"], ["--svg"], ["--json"],
                  ["states", "peer-up", "--details"]):
        text = show(*words)
        wrong = re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\ufffe\uffff]", text)
        assert not wrong, f"{words}: {wrong}"
        colors = set(re.findall(r"\x1b.[^a-zA-Z]*[a-zA-Z]", show_on_terminal(*words)))
        assert colors <= {f"\x1b[{code}m" for code in (0, 1, 2, 31, 32, 33)}, f"{words}: {colors}"


def colors_are_for_terminals():
    start(three=fake_daemons.three)
    plain = show("three")
    assert "\x1b" not in plain
    colored = show_on_terminal("three")
    assert "\x1b[32mup for 2 h 5 min\x1b[0m" in colored and "\x1b[31munreachable for 12 min" in colored, colored
    assert "\x1b[33mwarning: a path" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored).replace("\r\n", "\n").split() == plain.split()
    for variable in {"NO_COLOR": "1"}, {"TERM": "dumb"}:
        assert "\x1b" not in show_on_terminal("three", **variable), variable
    assert "\x1b[32m" in show_on_terminal("three", NO_COLOR=""), "an empty NO_COLOR counts as none"


def no_line_of_a_table_ends_with_a_blank():
    start(states={"get=1": all_states()})
    for columns in "", "40", "60", "100":
        ends = [line for line in show("states", "--brief", COLUMNS=columns).split("\n") if line.endswith(" ")]
        assert not ends, ends


def many_peers_are_a_table_with_the_problems_last():
    start(many=fake_daemons.many(), three=fake_daemons.three)
    lines = show("many").splitlines()
    assert lines[0] == "interface many: 300 peers (256 up, 15 idle, 1 waiting, 13 silent, 9 no endpoint, 6 unreachable)"
    assert lines[1].startswith("warning: ") and lines[3].split()[:2] == ["PEER", "STATE"] and len(lines) == 304
    states = [next(state for state in ("up", "idle", "waiting", "no endpoint", "silent", "unreachable")
                   if f" {state} " in line) for line in lines[4:]]
    order = list(dict.fromkeys(states))
    assert order == ["up", "idle", "waiting", "no endpoint", "silent", "unreachable"], order
    assert show("many", "--brief") == show("many") and "latest handshake" in show("many", "--details")
    assert "latest handshake" in show("three") and show("three", "--brief").splitlines()[3].split()[0] == "PEER"
    for columns in range(1, 200):
        for line in show("many", COLUMNS=str(columns)).splitlines()[3:]:
            assert len(line) <= max(columns, 29), f"{columns} columns: {line!r}"
    assert "198.51.100.2:51820" in show("many", COLUMNS="120") and "198.51.100.2:" not in show("many", COLUMNS="80")


def daemons_that_report_less_are_shown_with_what_they_report():
    start(foreign=interface([peer(1, endpoint="192.0.2.1:9", handshake=10, received=2048)], adit=False))
    text = show("foreign")
    for absent in "quality", "crypto", "workers", "warning", "(":
        assert absent not in text, f"{absent}: {text}"
    assert re.search(r"endpoint +192\.0\.2\.1:9\n.*\n +latest handshake +1\d s ago\n +transfer +2\.00 KiB received", text)
    assert "\n    state             up\n" in text, text
    titles = show("foreign", "--brief").splitlines()[2].split()
    assert titles == ["PEER", "STATE", "HANDSHAKE", "RECEIVED", "SENT", "ENDPOINT"], titles
    assert show("foreign", "--counters") == "interface foreign\n  this daemon has no counters\n"


def a_daemon_that_cannot_be_read_has_a_line():
    start(fine=interface([peer(1, name="alice", state="up")]), nonsense=lambda: ["\x00"], partial=lambda: [
        f"public_key={key(1)}", "tx_bytes=x"])
    lines = show("--brief").split("\n\n")
    assert lines[0].startswith("interface fine: 1 peer (1 up)"), lines
    assert lines[2:] == [f"interface {name}: the daemon sent an invalid reply{end}"
                         for name, end in (("nonsense", ""), ("partial", "\n"))], lines
    found = {found["name"]: (found["up"], found["warnings"], len(found["peers"]))
             for found in json.loads(show("--json"))["interfaces"]}
    wrong = (False, ["the daemon sent an invalid reply"], 0)
    assert found == {"fine": (True, [], 1), "nonsense": wrong, "partial": wrong}, found
    assert show("partial", code=1) == "adit show: partial: the daemon sent an invalid reply\n"


def daemons_that_hang_are_waited_for_at_once():
    """Each of them answers when all have been asked."""
    asked = threading.Barrier(12)

    def answer():
        asked.wait()
        return interface([peer(1, state="up")])()

    start(**{f"slow{number}": answer for number in range(12)})
    document = json.loads(show("--json"))
    assert [found["up"] for found in document["interfaces"]] == 12 * [True], document


def only_a_terminal_that_can_is_cleared():
    start(fine=interface([]))
    for term, wanted in ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({}, False):
        master, slave = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "TERM"} | term
        process = subprocess.Popen([*EMULATOR, ADIT, "show", "--watch", "1"], stdin=slave, stdout=slave,
                                   env=environment)
        text = b""
        while text.count(b"interface fine") < 2 and b"\x1b[2J" not in text:
            text += os.read(master, 65536)
        process.terminate()
        process.wait(60)
        os.close(master)
        os.close(slave)
        assert (b"\x1b" in text) == wanted, f"{term}: {text}"


def events_cannot_control_a_terminal():
    lines = ["errno=0", "", f"event=peer-up{HOSTILE}", "time_sec=99999999999999999999", "time_nsec=5", f"name={HOSTILE}",
             f"endpoint={HOSTILE}", f"from={HOSTILE}", f"to={HOSTILE}", f"origin={HOSTILE}", f"role={HOSTILE}",
             "peers=-1", f"reason={HOSTILE}", "", "event=peer-down", "half a line"]

    def answer():
        return lines[:-1]

    start(evil={"monitor=1": answer})
    for option in [], ["--json"]:
        text = adit("monitor", "evil", *option)
        assert "peer-up" in text and "peer-down" in text, text
        wrong = re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028]", text)
        assert not wrong, f"{wrong}: {text}"
        for line in text.splitlines() if option else []:
            json.loads(line)


def monitor(*wrapper):
    """Starts `adit monitor` for all interfaces, whose lines the caller reads."""
    return subprocess.Popen([*wrapper, *EMULATOR, ADIT, "monitor"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def a_daemon_that_hangs_is_followed_when_it_continues():
    continued = threading.Event()

    def answer():
        continued.wait()
        return ["errno=0", "", "event=peer-up", "time_sec=1", "time_nsec=5", ""]

    start(**{f"slow{number}": {"monitor=1": answer} for number in range(3)})
    process, events = monitor(), set()
    timer = threading.Timer(200, process.kill)
    timer.start()
    for _ in range(3):
        line = process.stdout.readline()
        assert line.endswith(": the daemon does not answer\n"), line
    continued.set()
    while len(events) < 3 and (line := process.stdout.readline()):
        events.add(line.split()[1])
    timer.cancel()
    process.kill()
    process.communicate()
    assert events == {"slow0", "slow1", "slow2"}, events


def more_interfaces_than_descriptors_are_followed_in_part():
    limit = 16
    if EMULATOR:
        raise Skip("the emulator needs descriptors of its own")
    start(**{f"many{number}": {"monitor=1": lambda: ["errno=0", "", "event=peer-up", "time_sec=1", "time_nsec=5", ""]}
             for number in range(2 * limit)})
    process = monitor("prlimit", f"--nofile={limit}")
    timer = threading.Timer(200, process.kill)
    timer.start()
    lines = []
    while (line := process.stdout.readline()) and " peer-up" not in line:
        lines.append(line)
    timer.cancel()
    process.kill()
    process.communicate()
    assert line and any("Too many open files" in line for line in lines), lines


def a_daemon_that_closes_at_once_is_asked_again_after_a_second():
    times, fourth = [], threading.Event()

    def closes():
        times.append(time.monotonic())
        if len(times) == 4:
            fourth.set()
        return ["errno=0", ""]

    start(quick={"monitor=1": closes})
    before = time.monotonic()
    process = monitor()
    fourth.wait()
    process.kill()
    process.communicate()
    assert times[3] - before > 3, f"asked {len(times)} times in {times[3] - before} s"


def one_peer_is_chosen_by_name_or_key():
    start(three=fake_daemons.three)
    public_key = json.loads(show("three", "--json"))["interfaces"][0]["peers"][1]["public_key"]
    for name in "berlin", public_key:
        text = show("three", name)
        assert "peer berlin" in text and "alice" not in text and "listen port" not in text and "warning: " in text
    start(twins=interface([peer(1, name="same"), peer(2, name="other"), peer(3, name="same", state="up")]))
    keys = [found["public_key"] for found in json.loads(show("twins", "--json"))["interfaces"][0]["peers"]]
    found = json.loads(show("twins", "same", "--json"))["interfaces"][0]["peers"]
    assert [twin["public_key"] for twin in found] == [keys[0], keys[2]], found
    assert show("three", "bob", code=1) == 'adit show: three: no peer has the name or public key "bob"\n'


def completion_offers_the_peers_of_a_daemon():
    names = [peer(1, name="albert's laptop"), peer(2, name="zo\u00eb", prefixes=["10.0.0.2/32", "10.1.0.0/16"]), peer(3)]
    start(three=fake_daemons.three, odd=interface(names), bare=lambda: [])

    def offered(*words):
        return adit("--complete", "show", *words).splitlines()

    assert offered("three", "") == ["alice\t10.9.0.2/32", "berlin\t10.9.0.3/32", "carol\t10.9.0.4/32"], offered("three", "")
    assert offered("--watch", "2", "three", "b") == ["berlin\t10.9.0.3/32"]
    public_key = json.loads(show("odd", "--json"))["interfaces"][0]["peers"][2]["public_key"]
    assert offered("odd", "") == ["albert's laptop", "zo\u00eb\t10.0.0.2/32", public_key], offered("odd", "")
    for name in "bare", "absent", "a-name-that-is-too-long", "../x", "":
        assert offered(name, "") == [], name


def counters_have_their_meaning():
    start(three={"get=1": fake_daemons.three,
                                  "counters=1": lambda: [*fake_daemons.counters, "of_tomorrow=5", "long=1,2,3,4,5,6,7,8,9"]})
    text = show("--counters")
    assert "  drop_no_peer             12  out: no allowed IP of a peer contains the destination\n" in text, text
    assert "  of_tomorrow               5\n" in text and "long" not in text
    assert re.search(r"batch_udp_send +5 0 7 1 0 0 900 2\n +sends of 1, 2-3,", text)
    wide = [line for line in show("--counters", COLUMNS="80").splitlines() if len(line) > 80]
    assert not wide, wide


def watching_shows_rates_and_losses_between_the_looks():
    looks = []

    def answer():
        looks.append(time.monotonic())
        times = len(looks) - 1
        return interface([peer(1, name="busy", state="up", received=times * 10**9, sent=5000,
                               counts=(times * 1000, times * 10, 0, 0)),
                          peer(2, name="again", state="up", received=1000 - times, sent=0)])()

    start(busy=answer)
    process = subprocess.Popen([*EMULATOR, ADIT, "show", "busy", "--watch", "1"], stdout=subprocess.PIPE, text=True)
    shown = []

    def has_the_rate(number):
        """On a busy machine, the daemon may answer long after the program has asked."""
        value, unit = re.search(r"rate +([0-9.]+) ([MGT])bit/s in, 0 bit/s out", shown[number]).groups()
        between = looks[number] - looks[number - 1]
        return 0.5 < float(value) * {"M": 1e6, "G": 1e9, "T": 1e12}[unit] * between / 8e9 < 2

    while len(shown) < 4 or not has_the_rate(len(shown) - 2):
        line = process.stdout.readline()
        assert line, "--watch ended"
        assert len(shown) < 100, f"no look has the rate: {shown}"
        if "interface busy" in line:
            shown.append("")
        if shown:
            shown[-1] += line
    process.terminate()
    process.wait(60)
    assert "rate" not in shown[0] and "lost" not in shown[0], shown[0]
    for look in shown[1:-1]:
        busy, again = look.split("peer again")
        assert "lost 0.99 % in" in busy, busy
        assert "rate" not in again, "a total that falls has no rate"
    fake_daemons.close_all()
    assert "busy: no daemon serves this interface" in show("busy", "--watch", "1", code=1)


def damaged_answers_are_shown_or_rejected():
    """Whatever a daemon sends, the command ends, with output or with one line that names the interface."""
    numbers = random.Random(1)
    lines = all_states()() + fake_daemons.counters
    answer = []
    start(broken={"get=1": lambda: answer, "counters=1": lambda: answer})
    for turn in range(120):
        answer = [numbers.choice(lines) for _ in range(numbers.randrange(1, 40))]
        for _ in range(numbers.randrange(4)):
            at = numbers.randrange(len(answer))
            cut = numbers.randrange(len(answer[at]) + 1)
            answer[at] = answer[at][:cut] + numbers.choice(["", "=", ",", "\x00", "9" * 30, "-1", "%n", "\udcff"]) + \
                numbers.choice([answer[at][cut:], ""])
        answer = [line for line in answer if line]
        options = numbers.choice([["--brief"], ["--details"], ["--svg"], ["--json"], ["--counters"]])
        done = subprocess.run([*EMULATOR, ADIT, "show", "broken", *options], capture_output=True, timeout=60)
        if done.returncode == 0:
            assert done.stdout and not done.stderr, f"turn {turn}: {done}"
        else:
            assert done.returncode == 1 and re.fullmatch(rb"adit show: broken: .*\n", done.stderr), f"turn {turn}: {done}"


def wrong_arguments_get_one_line():
    for words, message in [
            (["--watch", "0"], '--watch: "0" is not a number of seconds from 1 to 86400'),
            (["--watch", "x"], '--watch: "x" is not a number of seconds from 1 to 86400'),
            (["--watch", "99999999999999999999"], "is not a number of seconds"),
            (["--watch"], "--watch: the value is missing"),
            (["--json", "--svg"], "--json and --svg exclude each other"),
            (["--brief", "--details"], "--brief and --details exclude each other"),
            (["--counters", "--svg"], "--counters and --svg exclude each other"),
            (["site", "peer", "--counters"], "--counters and PEER exclude each other"),
            (["--json", "--watch", "5"], "--watch and --json exclude each other")]:
        text = show(*words, code=1)
        assert message in text and text.count("\n") == 1 and text.startswith("adit show: "), text


def the_picture_is_xml_and_names_every_peer():
    start(three=fake_daemons.three, many=fake_daemons.many(), states=all_states(), bare=lambda: [],
                           single=interface([peer(1, name="<&\">")]))
    for name, count in ("three", 3), ("many", 300), ("states", 40), ("bare", 0), ("single", 1):
        text = show(name, "--svg")
        root = xml.etree.ElementTree.fromstring(text)
        assert root.tag == SVG + "svg" and "http" not in text.replace("http://www.w3.org/2000/svg", ""), "not self-contained"
        nodes = [node for node in root.iter(SVG + "circle") if "node" in node.get("class")]
        names = [found["name"] or found["public_key"] for found in json.loads(show(name, "--json"))["interfaces"][0]["peers"]]
        assert len(nodes) == count == len(names), f"{name}: {len(nodes)}"
        labels = [text.text for text in root.iter(SVG + "text")]
        for wanted in names if name != "states" else []:
            assert any(label.startswith(wanted) for label in labels), f"{name}: {wanted} has no label"
        width, height = float(root.get("width")), float(root.get("height"))
        for node in nodes:
            assert 0 < float(node.get("cx")) < width and 0 < float(node.get("cy")) < height
    classes = [node.get("class") for node in xml.etree.ElementTree.fromstring(show("three", "--svg")).iter(SVG + "circle")]
    assert classes == ["node up", "node up", "node down", "self"], classes
    tooltip = xml.etree.ElementTree.fromstring(show("three", "carol", "--svg")).find(f".//{SVG}circle/{SVG}title").text
    assert "unreachable: cannot send to 203.0.113.80:51820: this host has no route there" in tooltip
    whole = xml.etree.ElementTree.fromstring(show("--svg"))
    assert len(whole.findall(SVG + "g")) == 5 and "prefers-color-scheme: dark" in show("--svg")


CHECKS = [
    the_json_has_the_schema_in_all_states,
    the_json_has_the_values,
    text_cannot_control_a_terminal,
    colors_are_for_terminals,
    no_line_of_a_table_ends_with_a_blank,
    many_peers_are_a_table_with_the_problems_last,
    daemons_that_report_less_are_shown_with_what_they_report,
    a_daemon_that_cannot_be_read_has_a_line,
    daemons_that_hang_are_waited_for_at_once,
    only_a_terminal_that_can_is_cleared,
    events_cannot_control_a_terminal,
    a_daemon_that_hangs_is_followed_when_it_continues,
    more_interfaces_than_descriptors_are_followed_in_part,
    a_daemon_that_closes_at_once_is_asked_again_after_a_second,
    one_peer_is_chosen_by_name_or_key,
    completion_offers_the_peers_of_a_daemon,
    counters_have_their_meaning,
    watching_shows_rates_and_losses_between_the_looks,
    damaged_answers_are_shown_or_rejected,
    wrong_arguments_get_one_line,
    the_picture_is_xml_and_names_every_peer,
]


def main():
    failed = False
    print(f"1..{len(CHECKS)}")
    for number, check in enumerate(CHECKS, 1):
        try:
            check()
            print(f"ok {number} - {check.__name__}")
        except Skip as reason:
            print(f"ok {number} - {check.__name__} # SKIP {reason}")
        except (AssertionError, subprocess.TimeoutExpired) as reason:
            print(f"not ok {number} - {check.__name__}\n# {reason}")
            failed = True
        fake_daemons.close_all()
    return failed


if __name__ == "__main__":
    fake_daemons.enter()
    sys.exit(main())
