# SPDX-License-Identifier: MIT
"""The named runs: their tunnels, and the bars that their figures must reach."""

import dataclasses

TCP_RATES = ("TCP 1 flow Gbit/s", "TCP 1 flow reverse Gbit/s", "TCP 4 flows Gbit/s")
TCP_COSTS = ("TCP 1 flow CPU ns/B", "TCP 4 flows CPU ns/B")
UDP_RATES = ("UDP 1372 B kpps", "UDP 64 B kpps")
UDP_COSTS = ("UDP 1372 B CPU us", "UDP 64 B CPU us")
MIXED_RATES = ("TCP both ways Gbit/s", "TCP in VXLAN Gbit/s", "UDP 64 B 16 flows kpps", "UDP 64,1372 B 16 flows kpps")
MIXED_COSTS = ("TCP both ways CPU ns/B", "TCP in VXLAN CPU ns/B", "UDP 64 B 16 flows CPU us",
               "UDP 64,1372 B 16 flows CPU us")
SLOW_CALL = 800  # ns; where an empty system call takes longer, io_uring must be cheaper for small datagrams


@dataclasses.dataclass(frozen=True)
class Row:
    """A tunnel of the run: its name in tables, and the target. A `foreign` one may fail."""
    name: str
    target: str
    foreign: bool = False


@dataclasses.dataclass(frozen=True)
class Bar:
    """
    A limit for a figure of a row. With references it limits the median ratio to the reference with the best median.
    Without references it limits the worst value of all rounds.
    """
    figure: str
    row: str
    reference: tuple
    sense: str
    limit: float

    @property
    def has_margin(self):
        """A limit near 1 requires that two rows are equal. It has a margin, the difference between equal rows."""
        return bool(self.reference) and 0.85 <= self.limit <= 1.15

    @property
    def pair(self):
        return self.row + (" / " + " or ".join(self.reference) if self.reference else "")


@dataclasses.dataclass(frozen=True)
class Plan:
    rows: tuple
    bars: tuple
    twice: tuple = ()  # the names of two rows with the same target, whose difference is noise
    loads: str = "plain"  # the method of measure.Meter that runs the loads


def bars(figures, row, reference, sense, limit):
    reference = (reference,) if isinstance(reference, str) else reference
    return [Bar(figure, row, reference, sense, limit) for figure in figures]


def against_relay(row, relay, cost):
    return (bars(TCP_COSTS, row, relay, "<=", cost) + bars(TCP_RATES, row, relay, ">=", 0.92) +
            bars(UDP_RATES, row, relay, ">=", 0.90) + bars(UDP_COSTS, row, relay, "<=", 1.15) +
            bars(["ping under load p50 ms"], row, relay, "<=", 1.15))


def small(row):
    return bars(["peak MiB"], row, (), "<=", 10) + bars(["anonymous MiB"], row, (), "<=", 4)


def tunnels(adit, null, syscall):
    rows = (Row("veth", "veth"),
            Row("relay none", "relay:none"), Row("adit null", f"adit:{null}:CryptoProvider=null"),
            Row("relay sodium512", "relay:sodium512"), Row("adit libsodium", f"adit:{adit}:CryptoProvider=libsodium"),
            Row("relay ipsec-chacha", "relay:ipsec-chacha"), Row("adit", f"adit:{adit}"),
            Row("relay ipsec-chacha, again", "relay:ipsec-chacha"),
            Row("relay ipsec-aes", "relay:ipsec-aes"), Row("adit aes256gcm", f"adit:{adit}:Cipher=aes256gcm"),
            Row("wireguard-go", "wireguard-go:/usr/bin/wireguard-go", True),
            Row("nebula", "nebula:/usr/bin/nebula", True))
    wanted = (against_relay("adit null", "relay none", 1.10) +
              against_relay("adit libsodium", "relay sodium512", 1.10) +
              against_relay("adit", "relay ipsec-chacha", 1.00) +
              against_relay("adit aes256gcm", "relay ipsec-aes", 1.10) +
              bars(["UDP 64 B kpps"], "adit aes256gcm", "nebula", ">=", 2.8) +
              bars(["ping p50 ms"], "adit", "wireguard-go", "<=", 0.7) +
              small("adit libsodium") + small("adit") + small("adit aes256gcm"))
    return Plan(rows, tuple(wanted), ("relay ipsec-chacha", "relay ipsec-chacha, again"))


def backends(adit, null, syscall):
    both = ("TunBackend=syscalls", "TunBackend=io_uring")
    rows = (Row("adit", f"adit:{adit}"), *(Row(key, f"adit:{adit}:{key}") for key in both),
            Row("adit, again", f"adit:{adit}"))
    wanted = bars(TCP_COSTS + UDP_COSTS, "adit", both, "<=", 1.05)
    if syscall >= SLOW_CALL:
        wanted += bars(["UDP 64 B CPU us"], "adit", "TunBackend=syscalls", "<=", 0.85)
    return Plan(rows, tuple(wanted), ("adit", "adit, again"))


def workers(adit, null, syscall):
    rows = (Row("adit", f"adit:{adit}"), *(Row(f"Workers={n}", f"adit:{adit}:Workers={n}") for n in (1, 2, 4)))
    wanted = [bar for n in (2, 4) for bar in bars(TCP_RATES + UDP_RATES, f"Workers={n}", "Workers=1", ">=", 0.9)]
    return Plan(rows, tuple(wanted), ("adit", "Workers=1"))


def mixed(adit, null, syscall):
    rows = (Row("relay none", "relay:none"), Row("adit null", f"adit:{null}:CryptoProvider=null"),
            Row("relay ipsec-chacha", "relay:ipsec-chacha"), Row("adit", f"adit:{adit}"),
            Row("relay none, again", "relay:none"))
    wanted = []
    for pair in (("adit null", "relay none"), ("adit", "relay ipsec-chacha")):
        wanted += bars(MIXED_COSTS, *pair, "<=", 1.10) + bars(MIXED_RATES, *pair, ">=", 0.92)
    return Plan(rows, tuple(wanted), ("relay none", "relay none, again"), "mixed")


PLANS = {"tunnels": tunnels, "mixed": mixed, "backends": backends, "workers": workers}
