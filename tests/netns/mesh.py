# SPDX-License-Identifier: MIT
"""
Networks that `adit mesh` makes from a list of hosts.

    h1  h2  ...  h12      each with an address 198.51.100.N on `wan`
     \\   |   /    |
        switch            a bridge: the internet

Each host has its own /etc/adit and /run/wireguard, because the interface has the same name on all of them. Commands on
the hosts, also those of --install, run in this view: the program `ssh` of these cases is a script that enters it.
"""

import filecmp
import itertools
import os
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree

from lab import Skip, case, wait_for

BIN, HOSTS, OUT, LIST = "/run/bin", "/run/hosts", "/run/out", "/run/lab.hosts"
SECRET = re.compile(r"^(PrivateKey|PresharedKey) = (.*)$", re.MULTILINE)
PATH = f"{BIN}:/usr/sbin:/usr/bin:/sbin:/bin"

VIEW = f"""#!/bin/sh
# view HOST COMMAND...: runs a command on a host.
mount --bind {HOSTS}/$1/adit /etc/adit
mount --bind {HOSTS}/$1/wireguard /run/wireguard
shift
exec "$@"
"""
# Enters the host instead of connecting to it. The host "down" does not answer. While /run/cut exists, a copy is cut.
SSH = f"""#!/bin/sh
echo "$*" >>/run/ssh.log
while [ "$1" != -- ]; do shift; done
host=${{2#*@}}
if [ "$host" = down ]; then echo "ssh: connect to host down port 22: Connection refused" >&2; exit 255; fi
run() {{ exec ip netns exec "$host" unshare --mount {BIN}/view "$host" sh -c "$1"; }}
if [ -e /run/cut ]; then head -c 200 | run "$3"; else run "$3"; fi
"""
# While /run/refuse exists, no unit takes its file.
SYSTEMCTL = """#!/bin/sh
echo "$*" >>/run/systemctl.log
case $1 in reload*) [ ! -e /run/refuse ] || { echo "Job failed." >&2; exit 1; } ;; esac
"""

# Makes the user root.
SUDO = f"""#!/bin/sh
echo "$*" >>/run/sudo.log
rm -f {BIN}/id
[ "$1" = -n ] && shift && exec "$@"
"""


def write_program(name, text):
    with open(f"{BIN}/{name}", "w") as file:
        file.write(text)
    os.chmod(f"{BIN}/{name}", 0o755)


def write_list(options, hosts):
    with open(LIST, "w") as file:
        file.write("\n".join([*options, *hosts]) + "\n")


def mesh(lab, *arguments, code=0):
    """Runs `adit mesh` and returns the completed process."""
    done = subprocess.run([lab.adit, "mesh", LIST, "--out", OUT, *arguments], capture_output=True, text=True,
                          env={**os.environ, "PATH": PATH}, timeout=120)
    assert done.returncode == code, f"exit code {done.returncode}: {done.stdout} {done.stderr}"
    return done


def file_of(host, folder=OUT):
    with open(f"{folder}/{host}/lab.conf") as file:
        return file.read()


def keys_of(host, folder=OUT):
    """Returns the private key of a host and its preshared keys by the public key of the peer."""
    text = file_of(host, folder)
    pairs = re.findall(r"^PublicKey = (.*)\nPresharedKey = (.*)$", text, re.MULTILINE)
    return re.search(r"^PrivateKey = (.*)$", text, re.MULTILINE)[1], dict(pairs)


def changed_files(names, old):
    return {name for name in names if not filecmp.cmp(f"{OUT}/{name}/lab.conf", f"{old}/{name}/lab.conf", False)}


def set_up(lab, names):
    """Creates the hosts and the programs that they use."""
    os.makedirs(BIN)
    os.symlink(lab.adit, f"{BIN}/adit")
    os.mkdir("/run/wireguard")
    os.mkdir("/run/etc")
    subprocess.run(["cp", "-a", "/etc/.", "/run/etc"], check=True)
    subprocess.run(["mount", "--bind", "/run/etc", "/etc"], check=True)
    os.makedirs("/etc/adit", exist_ok=True)
    write_program("view", VIEW)
    write_program("ssh", SSH)
    switch = lab.node("switch")
    switch.run("ip link add wires type bridge")
    switch.run("ip link set wires up")
    for number, name in enumerate(names, 1):
        os.makedirs(f"{HOSTS}/{name}/adit")
        os.makedirs(f"{HOSTS}/{name}/wireguard")
        node = lab.node(name, forward=True)
        lab.wire(node, "wan", [f"198.51.100.{number}/24"], switch, name, [])
        switch.run(f"ip link set {name} master wires")


def on_host(node, *command):
    return ["env", f"PATH={PATH}", "unshare", "--mount", f"{BIN}/view", node.name, *command]


def start(lab, names):
    for name in names:
        node = lab.nodes[name]
        node.start(f"lab-{name}", on_host(node, "adit", "run", "lab"))
    for name in names:
        wait_for(lambda: os.path.exists(f"{HOSTS}/{name}/wireguard/lab.sock"), f"the socket of {name}")


def hosts_of(names, without_endpoint=(), more=()):
    """The lines of the hosts. `more` has the columns after the endpoint by name."""
    more = dict(more)
    return [f"{name} {'-' if name in without_endpoint else f'198.51.100.{number}'} {more.get(name, '')} ssh={name}"
            for number, name in enumerate(names, 1)]


def address_of(name):
    return re.search(r"^Address = ([^/]*)/", file_of(name), re.MULTILINE)[1]


def ping_all(lab, names):
    for one, other in itertools.combinations(names, 2):
        node, address = lab.nodes[one], address_of(other)
        wait_for(lambda: node.reaches(address), f"an answer of {other} to {one}")


TOPOLOGIES = {"full": ["topology = full"], "hub": ["topology = hub", "hub = h1"],
              "two-hubs": ["topology = two-hubs", "hub = h1, h2"]}


@case(topology=list(TOPOLOGIES))
def pings(lab, topology):
    """Twelve hosts. With hubs, three of them are behind a NAT, and have no endpoint in the list."""
    names = [f"h{number}" for number in range(1, 13)]
    set_up(lab, names)
    without = ["h12"] if topology == "full" else ["h10", "h11", "h12"]
    write_list(["network = 10.9.0.0/24, fd09::/64", "interface = lab", *TOPOLOGIES[topology]],
               hosts_of(names, without, {"h3": "auto 192.168.3.0/24", "h12": "auto 192.168.12.0/24"}))
    mesh(lab)
    for name in names:
        shutil.copy(f"{OUT}/{name}/lab.conf", f"{HOSTS}/{name}/adit/lab.conf")
    for name in "h3", "h12":
        lab.nodes[name].add_address("lo", f"192.168.{name[1:]}.1/24")
    start(lab, names)
    # A host without an endpoint answers only after its first keepalive.
    with lab.check("all 66 pairs reach each other"):
        ping_all(lab, names)
    with lab.check("adit show names the peers"):
        shown = lab.nodes["h1"].run(on_host(lab.nodes["h1"], "adit", "show", "lab")).stdout
        assert all(re.search(rf"\b{name}\b", shown) for name in names[1:]), shown
    with lab.check("the networks behind two hosts reach each other"):
        lab.nodes["h12"].ping("192.168.3.1", options="-I 192.168.12.1")


def check_files(lab, names):
    done = subprocess.run([lab.adit, "check", *(f"{OUT}/{name}/lab.conf" for name in names)], capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr[:500]
    assert done.stdout.count(": OK, ") == len(names), done.stdout[:500]


@case(hosts=[3, 50], topology=list(TOPOLOGIES), bars=True)
def files(lab, hosts, topology):
    check_network(lab, hosts, topology)


@case(slow=True, hosts=[500], topology=list(TOPOLOGIES), bars=True)
def many_files(lab, hosts, topology):
    check_network(lab, hosts, topology)


@case()
def sample(lab):
    names = [f"h{number}" for number in range(1, 501)]
    write_list(["network = 10.8.0.0/16, fd09::/64", "interface = lab"],
               [f"{name} {name}.example.org" for name in names])
    with lab.check("500 hosts, each with a tunnel to each: a sample of 20 files passes adit check without a warning"):
        mesh(lab)
        check_files(lab, names[::25])


@case()
def manual(lab):
    """The list of adit(8)."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with open(os.path.join(top, "man", "adit.8")) as file:
        section = file.read().split(".Ss The list\n", 1)[1]
    with open(LIST, "w") as file:
        file.write(re.search(r"^\.Bd .*\n((?:.*\n)*?)\.Ed$", section, re.MULTILINE)[1])
    with lab.check("the list in the manual makes files without a warning"):
        assert not mesh(lab).stderr
        check_files(lab, ["berlin", "paris", "monitor", "laptop"])


@case()
def full_disk(lab):
    names = [f"h{number}" for number in range(1, 101)]
    os.mkdir(OUT)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", OUT], check=True)
    write_list(["network = 10.8.0.0/16", "interface = lab"], [f"{name} {name}.example.org" for name in names[:20]])
    mesh(lab)
    shutil.copytree(OUT, "/run/old")
    with lab.check("if the disk is full, every file stays as it was"):
        write_list(["network = 10.8.0.0/16", "interface = lab"], [f"{name} {name}.example.org" for name in names])
        assert "No space left on device" in mesh(lab, code=1).stderr
        assert not changed_files(names[:20], "/run/old")
        left = [file for _, _, files in os.walk(OUT) for file in files if file.startswith(".")]
        assert not left, left
    with lab.check("with more room, the next run completes the network"):
        subprocess.run(["mount", "-o", "remount,size=32m", OUT], check=True)
        assert "80 hosts added; 100 files changed\n" in mesh(lab).stdout
        check_files(lab, names)


def check_network(lab, hosts, topology):
    """Makes the files of a network again and again, with different lists, and compares them."""
    names = [f"h{number}" for number in range(1, hosts + 1)]
    without = [] if topology == "full" else names[2::7]
    lines = [f"{name} {'-' if name in without else f'{name}.example.org'} auto "
             f"{f'172.16.{number // 5}.0/24' if number % 5 == 0 else '-'}" for number, name in enumerate(names)]
    options = ["network = 10.8.0.0/16, fd09::/64", "interface = lab", *TOPOLOGIES[topology]]
    write_list(options, lines)
    with lab.check("the files are made without a message"):
        begin = time.monotonic()
        assert not mesh(lab).stderr
    lab.bar("that takes at most 20 s", time.monotonic() - begin, 20)
    with lab.check("every file passes adit check without a warning"):
        check_files(lab, names)
    with lab.check("the picture is well-formed XML and names every host"):
        texts = [node.text for node in xml.etree.ElementTree.parse(f"{OUT}/mesh.svg").iter() if node.text]
        assert all(any(text.split()[:1] == [name] for text in texts) for name in names)
    with lab.check("Graphviz parses the other picture"):
        if not shutil.which("dot"):
            raise Skip("Graphviz is not installed")
        done = subprocess.run(["gc", "-n", "-e", f"{OUT}/mesh.dot"], capture_output=True, text=True, timeout=60)
        counts = {"full": hosts * (hosts - 1) // 2, "hub": hosts - 1, "two-hubs": 2 * (hosts - 2) + 1}
        assert done.stdout.split()[:2] == [str(hosts), str(counts[topology])], f"{done.stdout} {done.stderr}"
    shutil.copytree(OUT, "/run/old")
    with lab.check("another run changes nothing"):
        assert mesh(lab).stdout == "no file of a host changed\n"
        assert not changed_files(names, "/run/old")
    with lab.check("a new host changes no other key, and the files of its peers only"):
        write_list(options, ["new new.example.org", *lines])
        mesh(lab)
        for name in names:
            old, new = keys_of(name, "/run/old"), keys_of(name)
            assert new[0] == old[0] and new[1].items() >= old[1].items(), f"{name}: a key changed"
        expected = {"full": set(names), "hub": {"h1"}, "two-hubs": {"h1", "h2"}}[topology]
        changed = changed_files(names, "/run/old")
        # With two hubs, the spokes of the second one list those of the first one.
        assert changed == expected or topology == "two-hubs" and changed > expected, f"{sorted(changed)[:20]}"
        check_files(lab, [*names, "new"])
    with lab.check("--rotate changes the keys of one host only"):
        shutil.rmtree("/run/old")
        shutil.copytree(OUT, "/run/old")
        victim = names[-1]
        public = subprocess.run([lab.adit, "pubkey"], input=keys_of(victim)[0], capture_output=True, text=True).stdout
        mesh(lab, "--rotate", victim)
        assert keys_of(victim)[0] != keys_of(victim, "/run/old")[0]
        assert not set(keys_of(victim)[1].values()) & set(keys_of(victim, "/run/old")[1].values())
        for name in names[:-1]:
            old, new = keys_of(name, "/run/old"), keys_of(name)
            old[1].pop(public.strip(), None)
            assert new[0] == old[0] and new[1].items() >= old[1].items(), f"{name}: another key changed"


def tree(name):
    return sorted(os.listdir(f"{HOSTS}/{name}/adit"))


@case()
def install(lab):
    names = ["h1", "h2", "h3"]
    set_up(lab, names)
    options = ["network = 10.9.0.0/24", "interface = lab", "topology = hub", "hub = h1"]
    lines = hosts_of(names, ["h3"]) + ["h4 - auto ssh=root@down", "h5 - auto ssh=-", "h6 -"]
    write_list(options, lines)
    with lab.check("a dry run compares and changes nothing"):
        mesh(lab)
        done = mesh(lab, "--install", "--dry-run", code=1)
        assert all(f"{name}: has no lab.conf yet\n" in done.stdout for name in names), done.stdout
        assert "h5: skipped\n" in done.stdout, done.stdout
        assert "3 of 6 hosts would be changed, 2 failed\n" in done.stdout, done.stdout
        assert done.stderr == ("adit mesh: h4: not reached: ssh: connect to host down port 22: Connection refused\n"
                               "adit mesh: h6: not installed: the list has no endpoint and no ssh=DESTINATION; ssh=- "
                               "skips the host\n"), done.stderr
        assert not any(tree(name) for name in names)
    write_list(options, lines[:4])
    with lab.check("a copy that is cut replaces nothing"):
        open("/run/cut", "w").close()
        done = mesh(lab, "--install", code=1)
        assert done.stderr.count(": not installed: the copy is incomplete\n") == 3, done.stderr
        assert not any(tree(name) for name in names), tree("h1")
        os.unlink("/run/cut")
    with lab.check("files are installed with the mode 0600; a host that fails does not stop the others"):
        done = mesh(lab, "--install", code=1)
        for name in names:
            assert f"{name}: installed; the tunnel is not running there\n" in done.stdout, done.stdout
            assert tree(name) == ["lab.conf"]
            assert os.stat(f"{HOSTS}/{name}/adit/lab.conf").st_mode & 0o7777 == 0o600
            assert filecmp.cmp(f"{HOSTS}/{name}/adit/lab.conf", f"{OUT}/{name}/lab.conf", False)
        assert "3 of 4 hosts changed, 1 failed\n" in done.stdout, done.stdout
    write_list(options, lines[:3] + ["h4 - auto ssh=-"])
    mesh(lab)
    start(lab, names)
    with lab.check("the tunnels work"):
        ping_all(lab, names)
    with lab.check("unchanged files are not copied"):
        done = mesh(lab, "--install", "--user", "root")
        assert done.stdout.count(": up to date\n") == 3, done.stdout
        assert "0 of 4 hosts changed, 0 failed\n" in done.stdout, done.stdout
    with lab.check("after a rotation, the changed hosts are reloaded and reach each other"):
        done = mesh(lab, "--rotate", "h3", "--install")
        assert "h2: up to date\n" in done.stdout, done.stdout
        assert all(f"{name}: installed, and the tunnel reloaded\n" in done.stdout for name in ("h1", "h3")), done.stdout
        ping_all(lab, names)
    with lab.check("a file that the adit of the host rejects replaces nothing"):
        os.unlink(f"{BIN}/adit")
        write_program("adit", f"#!/bin/sh\n[ \"$1\" != check ] || {{ echo no >&2; exit 1; }}\nexec {lab.adit} \"$@\"\n")
        done = mesh(lab, "--rotate", "h2", "--install", code=1)
        assert done.stderr == "adit mesh: h1: not installed: no\nadit mesh: h2: not installed: no\n", done.stderr
        assert tree("h2") == ["lab.conf"]
        os.unlink(f"{BIN}/adit")
        os.symlink(lab.adit, f"{BIN}/adit")
    with lab.check("another user than root runs the commands by sudo, without a password"):
        write_program("id", "#!/bin/sh\necho 1000\n")
        write_program("sudo", SUDO)
        assert "h3: up to date\n" in mesh(lab, "--install", "--dry-run", "--user", "alice").stdout
        with open("/run/sudo.log") as log:
            assert log.read().startswith("-n sh -c command -v adit ")
    with lab.check("under systemd, the units are reloaded, and a new one is enabled"):
        os.makedirs("/run/systemd/system")
        write_program("systemctl", SYSTEMCTL)
        os.unlink(f"{HOSTS}/h2/adit/lab.conf")
        done = mesh(lab, "--install")
        assert "h2: installed, and the tunnel started\n" in done.stdout, done.stdout
        with open("/run/systemctl.log") as log:
            assert log.read() == "reload-or-restart adit@lab\n-q enable adit@lab\nreload-or-restart adit@lab\n"
    with lab.check("a host whose tunnel does not take the file keeps its own, and the next run tries again"):
        os.unlink(f"{HOSTS}/h2/adit/lab.conf")
        old = tree("h1"), filecmp.cmp(f"{HOSTS}/h1/adit/lab.conf", f"{OUT}/h1/lab.conf", False)
        assert old == (["lab.conf"], True), old
        open("/run/refuse", "w").close()
        done = mesh(lab, "--rotate", "h3", "--install", code=1)
        assert done.stderr == "".join(f"adit mesh: {name}: not installed: Job failed.\n" for name in names), done.stderr
        assert not filecmp.cmp(f"{HOSTS}/h1/adit/lab.conf", f"{OUT}/h1/lab.conf", False)
        assert os.stat(f"{HOSTS}/h1/adit/lab.conf").st_mode & 0o7777 == 0o600
        assert tree("h1") == ["lab.conf"] and not tree("h2"), (tree("h1"), tree("h2"))
        os.unlink("/run/refuse")
        done = mesh(lab, "--install")
        assert "h1: installed, and the tunnel reloaded\n" in done.stdout, done.stdout
        assert "h2: installed, and the tunnel started\n" in done.stdout, done.stdout
    with lab.check("a host without adit is reported"):
        os.rename(f"{BIN}/adit", f"{BIN}/moved")
        done = mesh(lab, "--install", code=1)
        assert done.stderr.count(": not reached: adit is not installed\n") == 3, done.stderr
    with lab.check("no secret was on a command line, and ssh asks no questions"):
        with open("/run/ssh.log") as log:
            calls = log.read()
        secrets = {secret for name in names for _, secret in SECRET.findall(file_of(name))}
        assert secrets and not any(secret in calls for secret in secrets)
        assert all("-oBatchMode=yes" in line for line in calls.splitlines()), calls[:500]
        assert "-l root -- h1 " in calls


# An adit before states: the document has none of the members that `adit mesh --status` reads, except handshakes.
OLD_ADIT = """#!/bin/sh
{adit} "$@" | python3 -c '
import json, sys
document = json.load(sys.stdin)
for peer in (peer for interface in document["interfaces"] for peer in interface["peers"]):
    for name in [name for name in peer if name.startswith(("state", "rx_", "rtt", "jitter"))]:
        del peer[name]
print(json.dumps(document, indent=1))'
"""
FIRST_ADIT = """#!/bin/sh
[ "$1 $2" != "show --json" ] || { echo 'adit show: "--json" is one argument too many; usage: adit show' >&2; exit 1; }
"""
# `adit` on the host NAME.
VIEW_OF = """#!/bin/sh
mount --bind {hosts}/$1/adit /etc/adit
mount --bind {hosts}/$1/wireguard /run/wireguard
[ ! -e {hosts}/$1/bin ] || PATH={hosts}/$1/bin:$PATH
shift
exec "$@"
"""


def replace_adit(name, text):
    """Gives one host another adit."""
    os.makedirs(f"{HOSTS}/{name}/bin", exist_ok=True)
    path = f"{HOSTS}/{name}/bin/adit"
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)


def mesh_status(lab, *arguments):
    return subprocess.run([lab.adit, "mesh", LIST, "--status", *arguments], capture_output=True, text=True,
                          env={**os.environ, "PATH": PATH}, timeout=120)


def wait_for_status(lab, last_line, *arguments):
    """Waits until the last line of `adit mesh --status` is this one, and returns the completed process."""
    seen = []

    def is_last():
        seen.append(mesh_status(lab, *arguments))
        return seen[-1].stdout.endswith(f"{last_line}\n")

    try:
        wait_for(is_last, last_line)
    except AssertionError as error:
        raise AssertionError(f"{error}: {seen[-1].stdout} {seen[-1].stderr}") from None
    return seen[-1]


def rows_of(done):
    """Returns the rows of the matrix by host: the cells, or the sentence of a host that failed."""
    matrix = done.stdout.split("\n\n")[0].splitlines()
    return {line.split()[0]: re.split(r" {2,}", line)[1:] for line in matrix[1:]}


@case()
def status(lab):
    """Twelve hosts: one is down, one has no tunnel, and one has an old adit."""
    names = [f"h{number}" for number in range(1, 13)]
    good, old = names[:9], "h12"
    set_up(lab, names)
    write_program("view", VIEW_OF.format(hosts=HOSTS))
    options = ["network = 10.9.0.0/24", "interface = lab"]
    lines = hosts_of(names)
    lines[9] = lines[9].replace("ssh=h10", "ssh=root@down")
    write_list(options, lines)
    mesh(lab)
    for name in names:
        shutil.copy(f"{OUT}/{name}/lab.conf", f"{HOSTS}/{name}/adit/lab.conf")
    start(lab, [*good, old])
    replace_adit(old, OLD_ADIT.format(adit=lab.adit))
    ping_all(lab, [*good, old])
    for name, other in itertools.product([*good, old], ["h10", "h11"]):
        lab.nodes[name].run(f"ping -n -q -c 1 -W 0.1 {address_of(other)}", check=False)
    with lab.check("ten hosts answer, and each of them reaches each other"):
        done = wait_for_status(lab, "10 of 12 hosts answered, 2 failed; 90 of 132 directions work", "--svg",
                               "/run/mesh.svg")
        assert done.returncode == 1 and not done.stderr, done.stderr
    rows = rows_of(done)
    with lab.check("a host that is down, and one without the interface, have a row that says so"):
        assert rows["h10"] == ["ssh: connect to host down port 22: Connection refused"], rows["h10"]
        assert len(rows["h11"]) == 1 and "lab" in rows["h11"][0], rows["h11"]
    with lab.check("the other rows have a cell for each host"):
        for number, name in enumerate(names):
            if name not in ("h10", "h11"):
                assert len(rows[name]) == 12 and rows[name][number] == "-", rows[name]
    with lab.check("only the host with the old adit is named, and its handshakes count"):
        assert f"\n{old}: its adit is too old to report states; " in done.stdout, done.stdout
        assert done.stdout.count("its adit is too old") == 1, done.stdout
        assert rows[old][:9] == ["up"] * 9, rows[old]
    with lab.check("the picture is well-formed XML with a cell for each direction"):
        picture = xml.etree.ElementTree.parse("/run/mesh.svg")
        classes = [node.get("class") for node in picture.iter() if node.tag.endswith("rect")]
        assert classes.count("cell up") + classes.count("cell idle") == 90, classes
        assert classes.count("cell none") == 12 and classes.count("cell unknown") == 22, classes
        texts = [node.text for node in picture.iter() if node.text]
        assert all(name in texts for name in names), texts
    with lab.check("the first adit without --json gives a clear line"):
        replace_adit(old, FIRST_ADIT)
        assert rows_of(mesh_status(lab))[old][0].startswith("its adit is too old for --status: adit show: "), \
            mesh_status(lab).stdout
    shutil.rmtree(f"{HOSTS}/{old}/bin")
    write_list(options, [line for line, name in zip(lines, names) if name not in ("h10", "h11")])
    with lab.check("if all reach all, the exit code is 0"):
        done = mesh_status(lab)
        assert done.stdout.splitlines()[-1] == "10 of 10 hosts answered; 90 of 90 directions work", done.stdout
        assert done.returncode == 0
    with lab.check("a tunnel that ends is noticed at its peer, and the exit code is 1"):
        lab.nodes["h2"].run(on_host(lab.nodes["h2"], "adit", "stop", "lab"))
        done = mesh_status(lab)
        assert done.returncode == 1 and len(rows_of(done)["h2"]) == 1, done.stdout
    next(daemon for daemon in lab.daemons if daemon.name == "lab-h2").over = True


@case(waits=True)
def status_of_a_host_that_hangs(lab):
    os.makedirs(BIN)
    write_program("ssh", "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\n"
                         "[ $2 != slow ] || { echo banner; sleep 1000 & exec sleep 1000; }\n"
                         "echo time=1700000000\n"
                         "echo '{\"interfaces\": [{\"public_key\": \"x\", \"peers\": []}]}'\n")
    write_list(["network = 10.9.0.0/24", "interface = lab"],
               ["a a.example.org auto ssh=slow", *(f"h{number} - auto ssh=h{number}" for number in range(30))])
    begin = time.monotonic()
    done = mesh_status(lab)
    with lab.check("a host that hangs is given up after 30 s, and the others are asked meanwhile"):
        assert "a: no answer within 30 s\n" in done.stdout, done.stdout
        assert "30 of 31 hosts answered, 1 failed; " in done.stdout, done.stdout
        assert time.monotonic() - begin >= 29
