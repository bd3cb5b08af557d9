# SPDX-License-Identifier: MIT
"""
adit doctor: each case makes faults on purpose, expects the finding and its remedy, and applies the remedy.

    left  192.0.2.1, 2001:db8::1  ----  right  192.0.2.2, 2001:db8::2
    tun-left  10.7.0.1, fd07::1
"""

import contextlib
import errno
import json
import os
import pty
import re
import shutil
import socket
import subprocess
import time

from ends import PORT, Adit, host_port, key
from errors import refuse_io_uring
from lab import Skip, case, forbid, wait_for
from process import forbid_node

INTERFACE = "tun-left"
ROOT = "/run/root"
EVERYTHING = "0.0.0.0/0, ::/0"
CHECKS = {"privileges", "tun", "tun-offload", "udp-offload", "kernel", "io_uring", "buffers", "forwarding", "nft",
          "rp_filter", "ipv6", "clock"}
TUNNEL_CHECKS = {"file", "permissions", "interface", "port", "endpoint", "mtu"}
CORRUPTER = """
#include <dlfcn.h>
#include <sys/socket.h>
int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	int (*real)() = (int (*)())dlsym(RTLD_NEXT, "recvmmsg");
	int received = real(fd, messages, count, flags, timeout);
	for (int i = 0; i < received; i++)
		if (messages[i].msg_len > 5000)
			((char *)messages[i].msg_hdr.msg_iov->iov_base)[4000] ^= 1;
	return received;
}
"""


class Patient:
    """A host on which adit doctor runs, with a file of one tunnel."""

    def __init__(self, lab):
        self.lab = lab
        self.node = lab.node("left")
        self.other = lab.node("right")
        lab.wire(self.node, "wan", ["192.0.2.1/24", "2001:db8::1/64"], self.other, "wan",
                 ["192.0.2.2/24", "2001:db8::2/64"])
        self.end = Adit(self.node, INTERFACE, ["10.7.0.1/24", "fd07::1/64"])
        os.mkdir("/run/adit")
        self.path = f"/run/adit/{INTERFACE}.conf"
        self.words = [lab.adit]
        if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
            self.leave_container()

    def leave_container(self):
        """
        Makes a root folder without the marks of a container. `ip netns exec` mounts a /sys of the namespace, so the
        folders are bound for each command.
        """
        for folder in "upper", "work", "root":
            os.mkdir(f"/run/{folder}")
        options = "lowerdir=/,upperdir=/run/upper,workdir=/run/work"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", ROOT], check=True)
        for mark in "/.dockerenv", "/run/.containerenv":
            if os.path.exists(ROOT + mark):
                os.unlink(ROOT + mark)
        shutil.copy(self.lab.adit, f"{ROOT}/usr/bin/adit-under-test")
        script = f'for i in dev proc sys run; do mount --rbind /$i {ROOT}/$i; done; exec "$@"'
        self.words = ["sh", "-c", script, "sh", "chroot", ROOT, "/usr/bin/adit-under-test"]

    def peer(self, allowed="10.7.0.2/32", **settings):
        public = key(self.lab.adit, "pubkey", key(self.lab.adit, "genkey"))
        self.end.peers.append({"PublicKey": public, "AllowedIPs": allowed, **settings})

    def write(self, mode=0o600, **settings):
        self.end.settings |= settings
        with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(self.end.text())
        os.chmod(self.path, mode)
        return self.path

    def run(self, *arguments, before=(), **options):
        words = self.words
        if before and words[0] == "sh":
            words = words[:6] + list(before) + words[6:]
        else:
            words = list(before) + words
        return self.node.run([*words, "doctor", *arguments], check=False, timeout=40, **options)

    def examine(self, *arguments, **options):
        """Runs adit doctor with --json and without. Checks that both agree, and returns the findings."""
        done = self.run(*arguments, "--json", **options)
        assert not done.stderr, done.stderr
        report = json.loads(done.stdout)
        findings = report["findings"]
        assert report["version"] == 1
        assert report["failures"] == sum(finding["verdict"] == "fail" for finding in findings)
        assert report["warnings"] == sum(finding["verdict"] == "warn" for finding in findings)
        assert done.returncode == (1 if report["failures"] else 0), f"exit code {done.returncode}"
        for finding in findings:
            # A finding about a line of the file is its own remedy.
            assert finding["verdict"] in ("ok", "note") or finding["check"] == "file" or finding["hint"] or \
                finding["command"], f"no remedy: {finding}"
        text = self.run(*arguments, **options)
        lines = text.stdout.splitlines()
        assert text.returncode == done.returncode and not text.stderr, text
        for finding in findings:
            line = f"{finding['verdict']:<6}{finding['object']}: "
            assert any(found.startswith(line) for found in lines), f"{line!r} is missing in the text: {text.stdout}"
        assert len([line for line in lines if re.match(r"(ok|note|warn|fail) ", line)]) == len(findings)
        return findings

    def expect(self, check, verdict, *parts, arguments=None, command=None, **options):
        """Expects a finding of the check, with all parts in its object, fact or hint. Returns it."""
        findings = self.examine(*([self.path] if arguments is None else arguments), **options)
        wanted = [finding for finding in findings if finding["check"] == check]
        for finding in wanted:
            text = f"{finding['object']} {finding['fact']} {finding['hint']}"
            if finding["verdict"] == verdict and all(part in text for part in parts) and (
                    command is None or finding["command"] == command):
                return finding
        raise AssertionError(f"no {verdict} of {check} with {parts} {command or ''}: {wanted}")

    def resolve_by(self, path):
        """Returns words to put before a command, so that it reads `path` as /etc/resolv.conf."""
        if self.words[0] != "sh":
            return ["unshare", "--mount", "sh", "-c",
                    f'mount --bind {path} "$(readlink -f /etc/resolv.conf)" && exec "$@"', "sh"]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{ROOT}/etc/resolv.conf")
        shutil.copy(path, f"{ROOT}/etc/resolv.conf")
        return []

    def cure(self, finding):
        self.node.run(["sh", "-c", finding["command"]])


def state_of(node):
    """What a run of adit doctor must not change."""
    sysctls = node.run("sysctl -a --pattern ^net").stdout
    commands = "ip -o link", "ip -o address", "ip rule", "ip route show table all", "nft list ruleset"
    return [node.run(command).stdout for command in commands] + [sysctls, sorted(os.listdir("/run"))]


@case()
def healthy(lab):
    patient = Patient(lab)
    patient.peer(Endpoint=host_port("192.0.2.2"))
    patient.write()
    before = state_of(patient.node)
    with lab.check("a host without faults: every check reports, none fails, the self-tests pass"):
        findings = patient.examine(patient.path)
        by_check = {finding["check"]: finding for finding in findings}
        assert CHECKS | TUNNEL_CHECKS <= by_check.keys(), (CHECKS | TUNNEL_CHECKS) - by_check.keys()
        assert all(finding["verdict"] in ("ok", "note") for finding in findings
                   if finding["check"] not in ("clock", "kernel")), findings
        assert "unchanged, over 6 of 6 paths" in by_check["udp-offload"]["fact"], by_check["udp-offload"]
        assert "1500, which leaves 1440" in by_check["mtu"]["fact"], by_check["mtu"]
        assert f"UDP port {PORT} must be open" in by_check["port"]["fact"]
    with lab.check("without a file only the host is checked"):
        assert {finding["check"] for finding in patient.examine()} - {"managers"} == CHECKS
    with lab.check("nothing on the host was changed"):
        after = state_of(patient.node)
        assert before == after, [pair for pair in zip(before, after) if pair[0] != pair[1]]
    with lab.check("while the tunnel runs, its interface and its port are its own"):
        patient.end.settings.clear()
        os.replace(patient.path, f"/run/{INTERFACE}.conf")
        patient.path = f"/run/{INTERFACE}.conf"
        patient.end.start()
        patient.expect("interface", "ok", "runs it")
        patient.expect("port", "ok", "in use by this tunnel")
        patient.end.stop()


@case()
def names_of_files(lab):
    patient = Patient(lab)
    patient.peer(Endpoint=host_port("192.0.2.2"))
    patient.write()
    with lab.check("a name means /etc/adit/NAME.conf"):
        if patient.words[0] != "sh":
            raise Skip("needs a root folder of its own")
        os.makedirs(f"{ROOT}/etc/adit", exist_ok=True)
        shutil.copy(patient.path, f"{ROOT}/etc/adit/{INTERFACE}.conf")
        patient.expect("file", "ok", f"/etc/adit/{INTERFACE}.conf", arguments=[INTERFACE])
        assert json.loads(patient.run(INTERFACE, "--json").stdout)["interface"] == INTERFACE
    with lab.check("a file that is missing is a failure, and the host is still checked"):
        patient.expect("file", "fail", "No such file", arguments=["/run/none.conf"])
        assert CHECKS <= {finding["check"] for finding in patient.examine("/run/none.conf")}
    with lab.check("an error in the file is a failure with its line"):
        patient.write(ListenPort=70000)
        patient.expect("file", "fail", f"{patient.path}:3", "70000")
    with lab.check("so is an error after a hundred other findings"):
        with open(patient.path, "w") as file:
            file.write("[Interface]\n" + 120 * "PostUp: x = y\n" + "[Peer]\nPublicKey = x\n")
        assert any(finding["verdict"] == "fail" for finding in patient.examine(patient.path))
    with lab.check("wrong arguments get one line that leads to the usage"):
        for words in ["--yaml"], ["a.conf", "b.conf"], [""], ["-x", "a.conf"]:
            done = patient.run(*words)
            assert done.returncode == 1 and not done.stdout, done
            assert re.fullmatch('adit doctor: .*; (usage: adit doctor .*|see "adit doctor --help")\n', done.stderr), done


@case()
def routing(lab):
    patient = Patient(lab)
    node = patient.node
    os.mkdir("/run/no-nft")
    for program in "sh", "ip", "setpriv":
        os.symlink(shutil.which(program), f"/run/no-nft/{program}")
    patient.peer(EVERYTHING, Endpoint=host_port("192.0.2.2"))
    patient.write()
    with lab.check("a default route without nft in PATH"):
        patient.expect("nft", "warn", "not in PATH", "apt-get install nftables", before=["env", "PATH=/run/no-nft"])
        patient.expect("nft", "ok", "usable")
        patient.expect("nft", "note", "not in PATH", arguments=[], before=["env", "PATH=/run/no-nft"])
    with lab.check("a strict filter with a default route and without nft, and its remedy"):
        node.set("net/ipv4/conf/wan/rp_filter", 1)
        patient.expect("rp_filter", "note", "strict on wan", "src_valid_mark")
        finding = patient.expect("rp_filter", "fail", "strict on wan", before=["env", "PATH=/run/no-nft"],
                                 command="sysctl -w net.ipv4.conf.all.rp_filter=2")
        patient.cure(finding)
        patient.expect("rp_filter", "ok")
        node.set("net/ipv4/conf/all/rp_filter", 1)
        patient.cure(patient.expect("rp_filter", "note", "strict on all interfaces"))
        patient.expect("rp_filter", "ok")
    with lab.check("IPv6 disabled, and its remedy"):
        node.set("net/ipv6/conf/all/disable_ipv6", 1)
        patient.cure(patient.expect("ipv6", "warn", "leaves out the IPv6 addresses"))
        patient.expect("ipv6", "ok")
        node.set("net/ipv6/conf/default/disable_ipv6", 1)
        patient.cure(patient.expect("ipv6", "warn", "net.ipv6.conf.default.disable_ipv6 is 1"))
        patient.expect("ipv6", "ok")
    with lab.check("forwarding off on a hub, and its remedy"):
        patient.end.peers.clear()
        patient.peer("10.7.0.2/32, fd07::2/128")
        patient.peer("10.7.0.3/32, fd07::3/128")
        patient.write()
        patient.expect("forwarding", "ok", "net.ipv4.ip_forward", arguments=[])
        for name in "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding":
            patient.cure(patient.expect("forwarding", "warn", name, "2 peers have no Endpoint",
                                        command=f"sysctl -w {name}=1"))
            patient.expect("forwarding", "ok", name, "forwards")


@case(bars=True)
def outside(lab):
    """The route to the endpoint, its name, and the port."""
    patient = Patient(lab)
    node = patient.node
    patient.peer(Endpoint=host_port("192.0.2.2"))
    patient.write(MTU=1420)
    with lab.check("the MTU of the uplink is too small, and the remedy"):
        patient.expect("mtu", "ok", "leaves 1440")
        node.run("ip link set wan mtu 1400")
        finding = patient.expect("mtu", "warn", "1420 in the file", "1400, which leaves 1340")
        patient.write(MTU=re.search(r"MTU = (\d+)", finding["hint"])[1])
        patient.expect("mtu", "ok", "leaves 1340")
        node.run("ip link set wan mtu 1500")
    with lab.check("the port is in use, and by whom"):
        holder = node.start("holder", ["python3", "-c", f"import socket, time; s = socket.socket(type=2); "
                                       f"s.bind(('', {PORT})); print('bound', flush=True); time.sleep(60)"])
        wait_for(lambda: PORT in node.udp_ports(), "the port")
        pid = int(node.run(["sh", "-c", f"ss -Hulnp 'sport = :{PORT}' | sed 's/.*pid=\\([0-9]*\\).*/\\1/'"]).stdout)
        patient.expect("port", "fail", f"ListenPort {PORT}", f"in use by python3 (process {pid})",
                       command=f"ss -ulnp 'sport = :{PORT}'")
        holder.stop()
        holder.over = True
        patient.expect("port", "ok", "free")
    with lab.check("no route to the endpoint"):
        patient.end.peers.clear()
        patient.peer(Endpoint=host_port("203.0.113.1"))
        patient.write()
        patient.expect("endpoint", "fail", "no route to 203.0.113.1")
        node.run("ip route add default via 192.0.2.2")
        patient.expect("endpoint", "ok", "203.0.113.1")
    with lab.check("AllowedIPs that are also a network of this host"):
        patient.peer("192.0.2.0/24")
        patient.write()
        patient.expect("file", "warn", "192.0.2.0/24 is also a network of this host, on wan")
        patient.expect("port", "ok", "free")
    with lab.check("a random port, which a peer without an endpoint cannot find, and the remedy"):
        patient.end.port = 0
        patient.write()
        finding = patient.expect("port", "warn", "1 peer without an Endpoint")
        patient.end.port = re.search(r"ListenPort = (\d+)", finding["hint"])[1]
        patient.write()
        patient.expect("port", "ok", f"ListenPort {patient.end.port}")
    with lab.check("a name without an answer is a failure"):
        patient.end.peers.clear()
        patient.peer(Endpoint="silent.example:1")
        patient.peer("10.7.0.3/32", Endpoint="localhost:1")
        patient.write()
        with open("/run/resolv.conf", "w") as file:
            file.write("nameserver 192.0.2.77\n")
        start = time.monotonic()
        done = patient.run(patient.path, "--json", before=patient.resolve_by("/run/resolv.conf"))
        elapsed = time.monotonic() - start
        found = {finding["object"]: finding for finding in json.loads(done.stdout)["findings"]}
        assert found["Endpoint silent.example:1"]["verdict"] == "fail", found
        assert found["Endpoint localhost:1"]["verdict"] == "ok", found
        assert done.returncode == 1
    lab.bar("that takes at most 8 s", elapsed, 8)


@case()
def files(lab):
    patient = Patient(lab)
    patient.peer(Endpoint=host_port("192.0.2.2"))
    patient.write(mode=0o644)
    with lab.check("others can read the file, and the remedy"):
        patient.cure(patient.expect("file", "warn", "0644", command=f"chmod 0600 {patient.path}"))
        patient.expect("file", "ok")
    with lab.check("others can write the file, and the remedy"):
        os.chmod(patient.path, 0o622)
        patient.cure(patient.expect("permissions", "fail", patient.path, command=f"chmod go-w {patient.path}"))
        patient.expect("permissions", "ok", patient.path)
    with lab.check("others can write the folder, and the remedy"):
        os.chmod("/run/adit", 0o777)
        patient.cure(patient.expect("permissions", "fail", "folder", command="chmod go-w /run/adit"))
        patient.expect("permissions", "ok", "folder")
    with lab.check("the file belongs to another user, and the remedy"):
        os.chown(patient.path, 1000, 1000)
        patient.cure(patient.expect("permissions", "warn", "user 1000"))
        patient.expect("permissions", "ok", patient.path)
    with lab.check("hooks and DNS need programs"):
        os.mkdir("/run/bin")
        for program in "sh", "ip", "nft":
            os.symlink(shutil.which(program), f"/run/bin/{program}")
        patient.write(PostUp="iptables -A FORWARD -i %i -j ACCEPT; ip link", DNS="192.0.2.2")
        before = ["env", "PATH=/run/bin"]
        patient.expect("programs", "fail", "iptables", "apt-get install iptables", before=before)
        patient.expect("programs", "ok", "ip", before=before)
        patient.expect("programs", "fail", "DNS", "openresolv", before=before)
        for program in "iptables", "resolvconf":
            os.symlink("/bin/true", f"/run/bin/{program}")
        patient.expect("programs", "ok", "iptables", before=before)
        patient.expect("programs", "ok", "DNS", "resolvconf", before=before)


@case()
def interfaces(lab):
    patient = Patient(lab)
    patient.peer(Endpoint=host_port("192.0.2.2"))
    patient.write()
    with lab.check("an interface that is no TUN"):
        patient.node.run(f"ip link add {INTERFACE} type veth peer name other-end")
        patient.expect("interface", "fail", "not a TUN device")
        patient.node.run(f"ip link delete {INTERFACE}")
        patient.expect("interface", "ok")
    with lab.check("a persistent TUN"):
        patient.node.run(f"ip tuntap add {INTERFACE} mode tun")
        patient.expect("interface", "note", "will use it")
        patient.node.run(f"ip link delete {INTERFACE}")
    with lab.check("a WireGuard interface of the kernel, and the remedy"):
        if patient.node.run(f"ip link add {INTERFACE} type wireguard", check=False).returncode:
            raise Skip("the kernel has no WireGuard")
        patient.cure(patient.expect("interface", "fail", "WireGuard device of the kernel"))
        patient.expect("interface", "ok")
    with lab.check("a control socket that a daemon left"):
        os.makedirs("/run/wireguard", exist_ok=True)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(f"/var/run/wireguard/{INTERFACE}.sock")
        patient.expect("interface", "note", "left by a daemon")
        os.unlink(f"/var/run/wireguard/{INTERFACE}.sock")


@case()
def device(lab):
    """The TUN node and what forbids it."""
    patient = Patient(lab)
    with lab.check("the device policy forbids the node"):
        patient.expect("tun", "fail", "device policy", "DeviceAllow=/dev/net/tun rw", arguments=[],
                       preexec_fn=forbid_node)
    with lab.check("an empty /dev/net, and the remedy"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/net"], check=True)
        finding = patient.expect("tun", "fail", "missing", arguments=[],
                                 command="mkdir -p /dev/net && mknod -m 0666 /dev/net/tun c 10 200")
        patient.expect("udp-offload", "ok", "over 4 of 6 paths", arguments=[])
        patient.cure(finding)
        patient.expect("tun", "ok", arguments=[])
        patient.expect("udp-offload", "ok", "over 6 of 6 paths", arguments=[])
    with lab.check("a file in place of the node, and the remedy"):
        os.unlink("/dev/net/tun")
        with open("/dev/net/tun", "w"):
            pass
        patient.cure(patient.expect("tun", "fail", "not the character device", arguments=[]))
        patient.expect("tun", "ok", arguments=[])
    with lab.check("in a container, the remedy names the container's program"):
        os.unlink("/dev/net/tun")
        os.makedirs("/run/systemd", exist_ok=True)
        for name, remedy in {"docker": "docker run --cap-add NET_ADMIN --device /dev/net/tun", "podman": "podman run",
                             "systemd-nspawn": "--bind=/dev/net/tun", "lxc": "lxc.mount.entry"}.items():
            with open("/run/systemd/container", "w") as file:
                file.write(f"{name}\n")
            patient.expect("tun", "fail", "missing", remedy, arguments=[])
            patient.expect("privileges", "note", name, arguments=[])


def refuse_unshare():
    """For a child: unshare(2) fails with EPERM."""
    forbid((272, 97), errno.EPERM)


@case()
def privileges(lab):
    patient = Patient(lab)
    patient.peer(Endpoint=host_port("192.0.2.2"))
    patient.write(TunBackend="io_uring")
    with lab.check("root without CAP_NET_ADMIN"):
        before = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]
        patient.expect("privileges", "fail", "CAP_NET_ADMIN", "CapabilityBoundingSet=", before=before)
        with open("/proc/sys/net/core/rmem_max") as file:
            small = int(file.read()) < 7 << 20
        if small:
            patient.expect("buffers", "warn", "net.core.rmem_max", command="sysctl -w net.core.rmem_max=7340032",
                           before=before)
        patient.expect("buffers", "ok", "net.core.rmem_max")
    with lab.check("an ordinary user learns what needs root, and nothing fails"):
        os.chmod("/run/adit", 0o755)
        before = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "-all"]
        findings = patient.examine(before=before)
        by_check = {finding["check"]: finding for finding in findings}
        assert by_check["privileges"]["command"] == "sudo adit doctor" and by_check["privileges"]["needs_root"]
        assert by_check["nft"]["needs_root"], by_check["nft"]
        assert not any(finding["verdict"] == "fail" for finding in findings), findings
        assert by_check.keys() >= CHECKS
        patient.expect("file", "note", "may not read", before=before)
    with lab.check("without /proc, that is the failure, and a start says so"):
        before = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /proc; exec \"$@\"", "sh"]
        patient.expect("privileges", "fail", "/proc", "not mounted", command="mount -t proc proc /proc", before=before)
        done = patient.node.run([*before, lab.adit, "run", patient.path], check=False)
        assert done.returncode == 1 and "state of the link: /proc is not mounted\n" in done.stderr, done.stderr
    with lab.check("seccomp forbids io_uring"):
        patient.expect("io_uring", "warn", "seccomp", preexec_fn=refuse_io_uring)
        patient.expect("io_uring", "note", "seccomp", arguments=[], preexec_fn=refuse_io_uring)
    with lab.check("without network namespaces there is no self-test"):
        # `ip netns exec` calls unshare(2), too, so the filter is installed below it.
        script = "import sys; sys.path.insert(0, sys.argv[1]); import doctor, os; doctor.refuse_unshare(); " \
                 "os.execvp(sys.argv[2], sys.argv[2:])"
        before = ["python3", "-c", script, os.path.dirname(os.path.abspath(__file__))]
        findings = patient.examine(before=before)
        by_check = {finding["check"]: finding for finding in findings}
        for check in "tun-offload", "udp-offload":
            assert by_check[check]["verdict"] == "note" and "not tested" in by_check[check]["fact"], by_check[check]


@case()
def corruption(lab):
    """A library in front of the C library corrupts received runs, as a faulty kernel would."""
    patient = Patient(lab)
    with open("/run/corrupter.c", "w") as file:
        file.write(f"#define _GNU_SOURCE\n{CORRUPTER}")
    with lab.check("a kernel that corrupts runs is found"):
        if subprocess.run(["cc", "-shared", "-fPIC", "-o", "/run/corrupter.so", "/run/corrupter.c", "-ldl"],
                          capture_output=True).returncode:
            raise Skip("no C compiler")
        preload = ["env", "LD_PRELOAD=/run/corrupter.so", "ASAN_OPTIONS=verify_asan_link_order=0"]
        finding = patient.expect("udp-offload", "fail", "IPv4, with UDP_GRO", "corrupted by the kernel",
                                 "UdpGso = off", arguments=[], before=preload)
        assert re.match(r"[1-9]\d* of \d+ datagrams", finding["fact"]), finding


@case(bars=True)
def unit(lab):
    """The unit, by a systemctl that prints what the case wants."""
    patient = Patient(lab)
    patient.peer(Endpoint=host_port("192.0.2.2"))
    patient.write()
    os.makedirs("/run/systemd/system")
    os.mkdir("/run/bin")
    with open(os.open("/run/bin/systemctl", os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
        file.write("#!/bin/sh\ncat /run/unit\n")
    before = ["env", f"PATH=/run/bin:{os.environ['PATH']}"]

    def state(**properties):
        with open("/run/unit", "w") as file:
            file.write("".join(f"{name}={value}\n" for name, value in properties.items()))

    good = {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active", "Result": "success",
            "FragmentPath": "/usr/lib/systemd/system/adit@.service", "DropInPaths": ""}
    for title, verdict, parts, change in (
            ("enabled and active", "ok", ["enabled and active"], {}),
            ("not installed", "note", ["not installed"], {"LoadState": "not-found"}),
            ("not enabled", "note", ["not enabled"], {"UnitFileState": "disabled"}),
            ("failed", "fail", ["failed (exit-code)"], {"ActiveState": "failed", "Result": "exit-code"}),
            ("with a drop-in", "note", ["/etc/x.conf"], {"DropInPaths": "/etc/x.conf"}),
            ("replaced", "note", ["instead of the unit"], {"FragmentPath": "/etc/systemd/system/adit@.service"})):
        with lab.check(f"the unit is {title}"):
            state(**{**good, **change})
            patient.expect("unit", verdict, f"adit@{INTERFACE}.service", *parts, before=before)
    with lab.check("a systemctl that hangs is given up after 5 s"):
        with open("/run/bin/systemctl", "w") as file:
            file.write("#!/bin/sh\nsleep 60\n")
        start = time.monotonic()
        done = patient.run(patient.path, before=before)
        assert "systemctl fails: Connection timed out" in done.stdout, done.stdout
    lab.bar("that takes at most 10 s", time.monotonic() - start, 10)


@case()
def terminal(lab):
    patient = Patient(lab)

    def shown(**environment):
        master, slave = pty.openpty()
        variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        try:
            patient.node.run([*patient.words, "doctor"], check=False)  # warm up
            subprocess.run(patient.node.words([*patient.words, "doctor"]), stdin=subprocess.DEVNULL, stdout=slave,
                           env={**variables, "TERM": "xterm", **environment}, timeout=40)
            return os.read(master, 65536).decode()
        finally:
            os.close(slave)
            os.close(master)

    with lab.check("colour on a terminal"):
        assert "\033[32mok\033[0m" in shown()
    with lab.check("no colour with NO_COLOR, and in a pipe"):
        assert "\033" not in shown(NO_COLOR="1")
        assert "\033" not in shown(TERM="dumb")
        assert "\033" not in patient.run().stdout
