# SPDX-License-Identifier: MIT
"""
Interoperability of adit with the kernel's WireGuard. The kernel is Debian's, in a virtual machine (qemu), because the
kernel of the host may have no WireGuard. The machine takes the place of a host on the wire, and routes what the
namespace of that host sends into the tunnel. The cases can thus use the sockets and programs of that namespace:

                                         the namespace "right"
    left  192.0.2.1, 2001:db8::1  -------  wan -- bridge -- outer       tun-right  10.7.0.2, fd07::2
    adit  10.7.0.1, fd07::1                                   |           |
                                   192.0.2.2, 2001:db8::2   eth0        eth1  fe80::1
                                                              |           |
                                                           WireGuard -- routes
                                         the machine
"""

import glob
import lzma
import os
import re
import shlex
import shutil
import socket
import subprocess

from ends import Device, check_handshake, pair
from lab import TIMEOUT, Skip, case, fetch_package, wait_for
from traffic import MIB, both_ways, datagrams, small_datagrams

MTU = 1420
MODULES = "virtio_pci", "virtio_net", "wireguard"
GATEWAY, SHELL_PORT = "fe80::1", 1
INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
ln -s /proc/self/fd/0 /dev/stdin
exec >/dev/console 2>&1
for module in {modules}; do
	insmod /$module.ko
done
cd /proc/sys/net
echo 1 >ipv4/ip_forward
echo 1 >ipv6/conf/all/forwarding
echo 0 >ipv6/conf/default/accept_dad
for card in lo eth0 eth1; do
	echo 0 >ipv6/conf/$card/accept_dad
	ip link set $card up
done
ip address add {gateway}/64 dev eth1
echo listening
exec nc -ll -p {port} -e sh
"""


def fetch_kernel():
    """Returns the folder with the files of Debian's kernel for virtual machines."""
    text = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True).stdout
    package = re.search(r"Depends: (linux-image-\S+)", text)
    if not package:
        raise Skip("apt-cache knows no package linux-image-cloud-amd64")
    return fetch_package(package[1])


def read_modules(folder):
    """Returns MODULES and the modules that they need, by name, in the order in which they must be loaded."""
    paths = {os.path.basename(path).split(".")[0].replace("-", "_"): path
             for path in glob.glob(f"{folder}/**/*.ko*", recursive=True)}
    contents = {}

    def add(name):
        if name in contents or name not in paths:  # in the kernel itself
            return
        with (lzma.open if paths[name].endswith(".xz") else open)(paths[name], "rb") as file:
            content = file.read()
        for other in filter(None, re.search(rb"\0depends=([^\0]*)", content)[1].decode().split(",")):
            add(other.replace("-", "_"))
        contents[name] = content

    for name in MODULES:
        add(name)
    return contents


def make_initramfs(path, kernel):
    """Packs what the machine needs: busybox, wg(8) with its libraries, modules and the script that loads them."""
    folder = f"{path}.files"
    modules = read_modules(kernel)
    for name in "bin", "dev", "proc":
        os.makedirs(f"{folder}/{name}")
    for name, content in modules.items():
        with open(f"{folder}/{name}.ko", "wb") as file:
            file.write(content)
    with open(os.open(f"{folder}/init", os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
        file.write(INIT.format(modules=" ".join(modules), gateway=GATEWAY, port=SHELL_PORT))
    busybox, = glob.glob(f"{fetch_package('busybox-static')}/**/bin/busybox", recursive=True)
    for tool in busybox, shutil.which("wg"):
        shutil.copy(tool, f"{folder}/bin")
    libraries = subprocess.run(["ldd", f"{folder}/bin/wg"], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"(/\S+) \(", libraries):
        os.makedirs(os.path.dirname(folder + library), exist_ok=True)
        shutil.copy(library, folder + library)
    subprocess.run(f"find . | {busybox} cpio -o -H newc >{path}", shell=True, cwd=folder, check=True, capture_output=True)


class KernelWireguard(Device):
    """An interface of the kernel's WireGuard in a virtual machine."""

    def launch(self):
        if not shutil.which("qemu-system-x86_64") or os.uname().machine != "x86_64":
            raise Skip("the virtual machine needs qemu-system-x86_64 on x86_64")
        kernel, initramfs = fetch_kernel(), f"/run/{self.interface}.cpio"
        make_initramfs(initramfs, kernel)
        self.connect_cards()
        # An emulated machine boots in 5 s. A host that is a virtual machine itself may offer a KVM that is much slower.
        # Without no_timer_check the kernel panics if a busy host delays the first interrupts of its timer.
        command = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults",
                   "-display", "none", "-serial", "stdio", "-no-reboot",
                   "-kernel", *glob.glob(f"{kernel}/boot/vmlinuz-*"), "-initrd", initramfs,
                   "-append", "console=ttyS0 quiet panic=-1 no_timer_check"]
        for number, card in enumerate(("outer", self.interface)):
            command += ["-netdev", f"tap,id=net{number},ifname={card},script=no,downscript=no",
                        "-device", f"virtio-net-pci,netdev=net{number},mac=52:54:00:00:00:0{number},romfile="]
        self.daemon = self.node.start(self.interface, command)
        wait_for(self.answers, f"{self.interface}: a shell in the machine", 5 * TIMEOUT)
        return self

    def connect_cards(self):
        """Creates the two network cards of the machine, and connects the outer one to the wire."""
        self.node.run("ip link add bridge type bridge")
        for card in "outer", self.interface:
            self.node.run(f"ip tuntap add {card} mode tap")
        self.node.run(f"ip link set {self.interface} mtu {MTU} up")
        for port in "wan", "outer":
            self.node.run(f"ip link set {port} master bridge up")
        self.node.run("ip link set bridge up")

    def shell(self):
        """Connects to the shell of the machine."""
        client = self.node.socket(socket.AF_INET6, socket.SOCK_STREAM)
        with self.node.inside():
            scope = socket.if_nametoindex(self.interface)
        client.connect((GATEWAY, SHELL_PORT, 0, scope))
        return client

    def answers(self):
        if not self.daemon.running():
            raise AssertionError(f"the machine ended early: {self.daemon.tail()}")
        try:
            self.shell().close()
        except OSError:
            return False
        return True

    def in_machine(self, *commands):
        """Runs commands in the machine, and returns their output."""
        script = "\n".join(["set -e", "exec 2>&1", *commands, "echo done\n"])
        with self.shell() as client:
            client.sendall(script.encode())
            client.shutdown(socket.SHUT_WR)
            output = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        assert output.endswith("done\n"), f"{script}{output}"
        return output.removesuffix("done\n")

    def wg(self, verb, *arguments, input=""):
        return self.in_machine(f"wg {verb} {self.interface} {shlex.join(arguments)} <<'EOF'\n{input}\nEOF")

    def configure(self):
        """The machine takes over the addresses of the wire, and routes between the tunnel and the namespace."""
        wire = [f"{address['local']}/{address['prefixlen']}"
                for address in self.node.json("ip -j address show wan")[0]["addr_info"] if address["scope"] == "global"]
        self.node.run("ip address flush dev wan")
        inner = [address.split("/")[0] for address in self.addresses]
        allowed = [prefix for peer in self.peers for prefix in peer["AllowedIPs"].split(", ")]
        self.in_machine(f"ip link add dev {self.interface} type wireguard",
                        *(f"ip address add {address} dev eth0" for address in wire))
        self.wg("setconf", "/dev/stdin", input=self.text(whole=False))
        self.in_machine(f"ip link set {self.interface} mtu {MTU} up",
                        *(f"ip route add {prefix} dev {self.interface}" for prefix in allowed),
                        *(f"ip route add {address} dev eth1" for address in inner))
        for address in self.addresses:
            self.node.add_address(self.interface, address)
        for prefix in allowed:
            self.node.run(f"ip route replace {prefix} via inet6 {GATEWAY} dev {self.interface}")
        return self


@case(slow=True, outside=[4, 6], initiator=["left", "right"])
def handshake_and_traffic(lab, outside, initiator):
    """The responder has no endpoint for its peer, so the handshake can only come from the initiator."""
    left, right = pair(lab, outside, right=KernelWireguard, psk=True, knows=initiator)
    check_handshake(lab, left, right, initiator)
    for family in 4, 6:
        ends = left.node, left.inner(family), right.node, right.inner(family)
        with lab.check(f"8 MiB of TCP each way, v{family} inside"):
            both_ways(*ends, 8 * MIB)
        with lab.check(f"64-byte UDP, v{family} inside"):
            datagrams(*ends, small_datagrams(500))
            datagrams(*ends[2:], *ends[:2], small_datagrams(500))
