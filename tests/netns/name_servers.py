# SPDX-License-Identifier: MIT
"""
DNS: the name servers of the host follow the file, by resolvconf(8) or systemd-resolved, and are restored. hooks.py has
the topology and the tools.
"""

import os
import shutil
import signal
import subprocess
import time

from device_life import processes
from ends import Adit
from hooks import DNS, RESOLVED, calls, check_nothing_left, forget_calls, lay, set_tools, start_resolved
from lab import Skip, case, fetch_package, wait_for
from life import changes, network_state
from overlap import touch
from quick import RESOLVER, read, write_tool
from restart import again, managed


def check_servers(expected):
    wait_for(lambda: read("/etc/resolv.conf") == expected, f"resolv.conf {expected!r}")


def check_reload_fails(end, *lines):
    """adit reload waits for the tool, prints the lines, and fails."""
    done = end.node.run([end.node.lab.adit, "reload", end.interface], check=False)
    last = f"adit reload: {end.interface}: reloaded, but the name servers are not set; the daemon keeps trying\n"
    assert done.returncode == 1 and done.stderr == "".join([*lines, last]), done


@case()
def resolvconf(lab):
    left, _ = lay(lab, Adit, **DNS)
    before = network_state(left.node)
    with lab.check("the servers of the tunnel are set"):
        left.start()
        ours = "nameserver 10.7.0.2\nnameserver fd07::2\nsearch example.org corp.example.org\n"
        check_servers(ours)
    with lab.check("another program overwrites resolv.conf: the servers are set again"):
        with open("/etc/resolv.conf", "w") as file:
            file.write("nameserver 192.0.2.99\n")
        check_servers(ours)
    with lab.check("another program removes the entry: the servers are set again"):
        left.node.run("resolvconf -d tun-left -f")
        check_servers(ours)
    with lab.check("no process looks while nothing changes"):
        time.sleep(3)
        forget_calls()
        time.sleep(3)
        assert not calls(), calls()
    with lab.check("a reload changes the servers"):
        left.settings = {"DNS": "10.7.0.9"}
        left.write()
        left.node.run(f"{lab.adit} reload tun-left")
        check_servers("nameserver 10.7.0.9\n")
    with lab.check("a reload that does not change them calls nothing"):
        forget_calls()
        left.node.run(f"{lab.adit} reload tun-left")
        time.sleep(0.5)
        assert not calls(), calls()
    with lab.check("a reload removes them and sets them again"):
        left.settings = {}
        left.write()
        left.node.run(f"{lab.adit} reload tun-left")
        check_servers(RESOLVER)
        left.settings = DNS
        left.write()
        left.node.run(f"{lab.adit} reload tun-left")
        check_servers(ours)
    with lab.check("a change that fails is tried again"):
        with open("/run/broken", "w"):
            pass
        left.settings = {"DNS": "10.7.0.8"}
        left.write()
        check_reload_fails(left, "what went wrong\n", "DNS: resolvconf failed with status 4\n")
        wait_for(lambda: "DNS: the change is not in effect" in left.daemon.log(), "the failure")
        os.unlink("/run/broken")
        check_servers("nameserver 10.7.0.8\n")
    with lab.check("a reload of the unchanged file tries at once"):
        with open("/run/broken", "w"):
            pass
        left.settings = {"DNS": "10.7.0.7"}
        left.write()
        left.node.run(f"{lab.adit} reload tun-left", check=False)
        wait_for(lambda: "trying again in 4 s" in left.daemon.log(), "the failures")
        os.unlink("/run/broken")
        left.node.run(f"{lab.adit} reload tun-left")
        assert read("/etc/resolv.conf") == "nameserver 10.7.0.7\n"
    def begin_reload(servers):
        left.settings = {"DNS": servers} if servers else {}
        left.write()
        return subprocess.Popen(left.node.words([lab.adit, "reload", "tun-left"]), stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def reload_twice(servers, then):
        """A second reload follows while the tool runs for the first one, which then fails."""
        touch("/run/slow")
        first = begin_reload(servers)
        wait_for(lambda: processes("/usr/bin/sleep"), "the tool")
        second = begin_reload(then)
        _, messages = first.communicate(timeout=60)
        assert first.returncode == 1 and "another reload has followed" in messages, messages
        assert second.poll() is None
        os.unlink("/run/slow")
        _, messages = second.communicate(timeout=60)
        assert (second.returncode, messages) == (0, ""), messages

    with lab.check("adit reload returns when the servers are set; if another reload follows first, it fails"):
        reload_twice("10.7.0.6", "10.7.0.7")
        assert read("/etc/resolv.conf") == "nameserver 10.7.0.7\n"
    with lab.check("the servers of a reload that another one removes at once are not looked for"):
        reload_twice("10.7.0.6", None)
        assert read("/etc/resolv.conf") == RESOLVER
        time.sleep(1)
        assert left.daemon.running(), left.daemon.tail()
    with lab.check("the servers of a reload that follows a removal at once are restored"):
        assert begin_reload("10.7.0.6").wait(60) == 0
        reload_twice(None, "10.7.0.7")
        with open("/etc/resolv.conf", "w") as file:
            file.write("nameserver 192.0.2.99\n")
        check_servers("nameserver 10.7.0.7\n")
    with lab.check("the end of the daemon ends adit reload, too"):
        touch("/run/slow")
        third = begin_reload("10.7.0.5")
        wait_for(lambda: processes("/usr/bin/sleep"), "the tool")
        left.daemon.process.send_signal(signal.SIGTERM)
        _, messages = third.communicate(timeout=60)
        assert third.returncode == 1 and "DNS: the tunnel ends" in messages, messages
        os.unlink("/run/slow")
        assert left.daemon.wait() == 0
        left.settings = {"DNS": "10.7.0.7"}
        left.start()
    with lab.check("the end removes them, and refuses a reload meanwhile"):
        touch("/run/slow")
        left.daemon.process.send_signal(signal.SIGTERM)
        wait_for(lambda: processes("/usr/bin/sleep"), "the tool")
        left.settings = {"DNS": "10.7.0.4"}
        done = left.reload(check=False)
        assert done.returncode == 1 and done.stderr.startswith("the tunnel is ending\n"), done
        left.daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: left.daemon.log().count("is ending") == 2, "the refusal of SIGHUP")
        os.unlink("/run/slow")
        assert left.daemon.wait() == 0
        check_nothing_left(left, before)
    with lab.check("after kill -9, a start without DNS in the file removes them"):
        left.settings = DNS
        left.start()
        check_servers(ours)
        left.stop(signal.SIGKILL)
        left.settings = {}
        left.start()
        assert read("/etc/resolv.conf") == RESOLVER
        assert left.stop() == 0
        check_nothing_left(left, before)
        left.settings = DNS
    with lab.check("the order of the entries in resolvconf is respected"):
        os.makedirs("/etc/resolvconf", exist_ok=True)
        with open("/etc/resolvconf/interface-order", "w") as file:
            file.write("# order\nlo.inet*\ntun*\ntap*\n")
        forget_calls()
        left.start()
        assert left.stop() == 0
        assert calls()[0] == "resolvconf -a tun.tun-left -m 0 -x" and calls()[-1] == "resolvconf -d tun.tun-left -f"
    with lab.check("a tool that fails ends the start"):
        with open("/run/broken", "w"):
            pass
        daemon = left.node.start("broken", [lab.adit, "run", left.write()])
        assert daemon.wait() == 1
        assert "DNS: resolvconf has not set the name servers" in daemon.log()
        os.unlink("/run/broken")
        check_nothing_left(left, before)
    with lab.check("a tool that hangs is killed after the time limit of hooks"):
        write_tool("resolvconf", "#!/bin/sh\nexec sleep 1000\n")
        os.environ["ADIT_HOOK_TIMEOUT"] = "0.5"
        daemon = left.node.start("hung", [lab.adit, "run", left.write()])
        assert daemon.wait() == 1
        assert "DNS: resolvconf: killed after 0.5 s" in daemon.log()
        del os.environ["ADIT_HOOK_TIMEOUT"]
        set_tools()
        check_nothing_left(left, before)
    with lab.check("without a tool, the tunnel does not start"):
        set_tools(resolvconf=False)
        if any(os.path.exists(f"{folder}/resolvconf") for folder in os.environ["PATH"].split(":")):
            raise Skip("this host has a resolvconf")
        daemon = left.node.start("without", [lab.adit, "run", left.write()])
        assert daemon.wait() == 1
        missing = "DNS: systemd-resolved does not run, and there is no resolvconf program"
        assert missing in daemon.log()
    with lab.check("nor does a reload set them, and adit reload fails"):
        left.settings = {}
        left.start()
        left.settings = DNS
        left.write()
        done = left.node.run(f"{lab.adit} reload tun-left", check=False)
        assert done.returncode == 1 and done.stderr.startswith(missing), done
        assert "the name servers are not set" in done.stderr, done
        assert done.stdout == "tun-left: DNS changed\n", done
    with lab.check("adit reload prints what has changed when nobody needs a tool any more"):
        left.settings = {}
        left.write()
        done = left.node.run(f"{lab.adit} reload tun-left")
        assert done.stdout == "tun-left: DNS changed\n" and not done.stderr, done
        assert left.stop() == 0


@case()
def openresolv(lab):
    """The resolvconf of the package openresolv, with an uplink that has a name server of its own."""
    folder = fetch_package("openresolv")  # while names still resolve
    left, right = lay(lab, Adit, **DNS)
    before = network_state(left.node)
    set_tools()
    usr = "/usr" if os.path.exists(f"{folder}/usr/sbin/resolvconf") else ""  # since Debian 13
    with open(f"{folder}{usr}/sbin/resolvconf") as file:
        write_tool("resolvconf", file.read().replace(f"LIBEXECDIR={usr}/lib/", f"LIBEXECDIR={folder}{usr}/lib/"))
    shutil.copy(f"{folder}/etc/resolvconf.conf", "/etc/resolvconf.conf")
    for line in "mkdir -p /run/resolvconf", "resolvconf -a eth0.dhcp":
        subprocess.run(line.split(), input="nameserver 192.0.2.53\n", text=True, check=True)
    uplink = read("/etc/resolv.conf")
    ours = ["search example.org corp.example.org", "nameserver 10.7.0.2", "nameserver fd07::2"]

    def lines():
        return [line for line in read("/etc/resolv.conf").splitlines() if not line.startswith("#")]

    with lab.check("the servers of the tunnel are the only ones"):
        assert "nameserver 192.0.2.53" in uplink
        left.start()
        assert lines() == ours, lines()
    with lab.check("a new lease of the uplink does not bring its server back"):
        subprocess.run(["resolvconf", "-a", "eth0.dhcp"], input="nameserver 192.0.2.54\n", text=True, check=True)
        wait_for(lambda: lines() == ours, "our servers")
    with lab.check("another program overwrites resolv.conf or removes the entry: the servers are set again"):
        with open("/etc/resolv.conf", "w") as file:
            file.write("nameserver 192.0.2.99\n")
        wait_for(lambda: lines() == ours, "our servers")
        subprocess.run(["resolvconf", "-f", "-d", "tun-left"], check=True)
        wait_for(lambda: lines() == ours, "our servers")
    with lab.check("a reload changes them, and is complete when adit reload returns"):
        left.settings = {"DNS": "10.7.0.9"}
        left.write()
        left.node.run(f"{lab.adit} reload tun-left")
        assert lines() == ["nameserver 10.7.0.9"], lines()
    with lab.check("after kill -9, adit down restores the server of the uplink"):
        left.stop(signal.SIGKILL)
        assert lines() == ["nameserver 10.7.0.9"], lines()
        assert not left.node.run(f"{lab.adit} down tun-left").returncode
        assert lines() == ["nameserver 192.0.2.54"], lines()
        left.start()
        assert lines() == ["nameserver 10.7.0.9"], lines()
    with lab.check("the end restores the server of the uplink"):
        assert left.stop() == 0
        assert lines() == ["nameserver 192.0.2.54"], lines()
        assert not changes(before, network_state(left.node)), changes(before, network_state(left.node))


@case()
def resolved(lab):
    left, _ = lay(lab, Adit, **DNS)
    listener = start_resolved()
    servers = ["resolvectl dns tun-left 10.7.0.2 fd07::2", "resolvectl domain tun-left example.org corp.example.org ~."]

    def drop():
        for verb in "dns", "domain":
            if os.path.exists(f"/run/resolved.{verb}"):
                os.unlink(f"/run/resolved.{verb}")
        with open(f"{RESOLVED}/other", "w"):
            pass
        os.rename(f"{RESOLVED}/other", f"{RESOLVED}/resolv.conf")

    with lab.check("the servers are those of the link, and all queries go there"):
        left.start()
        assert calls() == servers, calls()
    with lab.check("another program drops them: they are set again"):
        drop()
        wait_for(lambda: calls() == servers * 2, "the calls")
    with lab.check("systemd-resolved restarts, and cannot answer for a while: they are set again"):
        with open("/run/broken", "w"):
            pass
        drop()
        time.sleep(1.5)
        os.unlink("/run/broken")
        wait_for(lambda: os.path.exists("/run/resolved.domain"), "the servers")
        assert read("/run/resolved.dns") == "10.7.0.2 fd07::2\n"
    with lab.check("no process looks while nothing changes"):
        time.sleep(3)
        forget_calls()
        time.sleep(3)
        assert not calls(), calls()
    with lab.check("the end reverts the link"):
        assert left.stop() == 0
        assert calls() == ["resolvectl revert tun-left"], calls()
    with lab.check("when systemd-resolved does not run, resolvconf is used"):
        listener.close()
        forget_calls()
        left.start()
        assert calls()[0].startswith("resolvconf -a"), calls()
        assert left.stop() == 0


@case()
def restart(lab):
    """A restart of the service keeps the servers, unless the file has changed."""
    left, _ = lay(lab, Adit, **DNS)
    before = network_state(left.node)
    ours = "nameserver 10.7.0.2\nnameserver fd07::2\nsearch example.org corp.example.org\n"
    with managed(left) as manager:
        manager.start()
        with lab.check("a restart keeps the servers"):
            manager.restart()
            assert read("/etc/resolv.conf") == ours
        with lab.check("a restart with other servers in the file sets these"):
            left.settings = {"DNS": "10.7.0.9"}
            manager.restart()
            assert read("/etc/resolv.conf") == "nameserver 10.7.0.9\n"
        for how in "restart", "kill -9":
            with lab.check(f"{how}, and a file without DNS: the servers are removed"):
                left.settings = {}
                again(manager, how)
                check_servers(RESOLVER)
            left.settings = DNS
            manager.restart()
            check_servers(ours)
        with lab.check("without DNS in the file, nothing is left at the end"):
            left.settings = {}
            manager.restart()
            manager.stop()
            check_nothing_left(left, before)
        with lab.check("a restart with a broken file removes the servers"):
            left.settings = DNS
            manager.start()
            check_servers(ours)
            manager.set_job("restart")
            assert left.stop() == 0 and read("/etc/resolv.conf") == ours
            left.private = "short"
            manager.start(wait=False)
            assert left.daemon.wait() == 78
            check_nothing_left(left, before)
