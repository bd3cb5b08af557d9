#!/usr/bin/env python3
"""
Measures tunnels side by side: in each round every target comes up, is measured and goes down, so that a drift of the machine
meets all of them. A figure is the median over the rounds; a ratio is the median of the ratios within each round.

usage: bench.py [--rounds N] [--seconds S] [--table FILE] [--json FILE] TARGET[@REFERENCE]...

TARGET is   veth | relay:CIPHER | adit:PATH[:KEY=VALUE...] | wireguard-go:PATH | nebula:PATH[:CIPHER]
REFERENCE   the number of the target (from 1) that this one is compared with, as in  adit:build/adit@1
CIPHER      of the relay: none, sodium, sodium512, ipsec-chacha, ipsec-aes; of nebula: aes, chachapoly

FILE of --table is a document; the lines between <!-- bench NAME --> and <!-- end --> in it are replaced (--name NAME).
Needs root and what tests/packages lists.
"""

import argparse
import json
import os
import platform
import re
import statistics
import sys

import lab
from measure import Meter


def parse_target(text):
    found = re.fullmatch(r"(.*?)(?:@(\d+))?", text)
    return found.group(1), int(found.group(2)) - 1 if found.group(2) else None


def label(spec):
    kind, *rest = spec.split(":")
    if kind in ("adit", "wireguard-go", "nebula"):
        rest = rest[1:]
    return " ".join([kind] + rest)


def measure(spec, workshop, seconds):
    kind, *arguments = spec.split(":")
    target = lab.KINDS[kind](workshop, *arguments)
    lab.up()
    try:
        target.start()
        return Meter(target, seconds).run()
    finally:
        target.stop()
        lab.down()


def run_rounds(specs, rounds, seconds):
    workshop = lab.Workshop()
    results = [[] for _ in specs]
    try:
        for number in range(rounds):
            for index, spec in enumerate(specs):
                try:
                    figures = measure(spec, workshop, seconds)
                except lab.Failed as error:
                    print(f"round {number + 1} {label(spec)}: {error}", file=sys.stderr, flush=True)
                    figures = {}
                results[index].append(figures)
                shown = ", ".join(f"{name} {value:.2f}" for name, value in figures.items())
                print(f"round {number + 1} {label(spec)}: {shown}", file=sys.stderr, flush=True)
    finally:
        workshop.close()
    return results


def median(values):
    values = list(values)
    return statistics.median(values) if values else None


def ratio(mine, reference, name):
    """The median over the rounds of mine by reference."""
    return median(a[name] / b[name] for a, b in zip(mine, reference) if a.get(name) and b.get(name))


def table(specs, references, results, rounds, seconds):
    names = list(dict.fromkeys(name for rounds_of in results for figures in rounds_of for name in figures))
    heads = [f"median of {rounds} x {seconds} s"]
    columns = [[name for name in names]]
    for index, spec in enumerate(specs):
        heads.append(label(spec))
        columns.append([median(f[name] for f in results[index] if name in f) for name in names])
        if references[index] is not None:
            heads.append("ratio to " + label(specs[references[index]]))
            columns.append([ratio(results[index], results[references[index]], name) for name in names])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in zip(*columns):
        lines.append("| " + " | ".join([row[0]] + ["" if value is None else f"{value:.2f}" for value in row[1:]]) + " |")
    return "\n".join(lines)


def processor():
    with open("/proc/cpuinfo") as info:
        found = dict(re.split(r"\s*:\s*", line.strip(), maxsplit=1) for line in info if ":" in line and line.strip()[-1] != ":")
    wide = "AVX-512" if "avx512f" in found.get("flags", "") else "AVX2" if "avx2" in found.get("flags", "") else "neither AVX2 nor AVX-512"
    return f"{found.get('model name', platform.machine())}, {wide}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}"


def replace_section(path, name, text):
    with open(path) as file:
        document = file.read()
    pattern = re.compile(rf"(<!-- bench {re.escape(name)} -->\n).*?(<!-- end -->)", re.S)
    if not pattern.search(document):
        sys.exit(f"{path}: no <!-- bench {name} --> ... <!-- end --> to fill in")
    with open(path, "w") as file:
        file.write(pattern.sub(lambda found: found.group(1) + text + found.group(2), document))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json")
    parser.add_argument("--table")
    parser.add_argument("--name", default="libsodium")
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench.py needs root: it makes network namespaces")
    specs, references = zip(*map(parse_target, options.targets))
    results = run_rounds(specs, options.rounds, options.seconds)
    text = table(specs, references, results, options.rounds, options.seconds)
    command = "sudo python3 tests/bench/bench.py " + " ".join(sys.argv[1:])
    text = f"`{command}`\n{processor()}\n\n{text}\n"
    print(text)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"targets": specs, "references": references, "rounds": results}, file, indent=1)
    if options.table:
        replace_section(options.table, options.name, text)


if __name__ == "__main__":
    main()
