#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Measures tunnels side by side: in each round every one comes up, is measured and goes down, so that a drift of the
machine meets all of them; each round begins with another. A figure is the median over the rounds; a ratio is the median
of the ratios within each round.

usage: bench.py [options] PLAN              one of plans.py: tunnels, mixed, backends, workers
       bench.py [options] TARGET[@N]...     tunnels of your own; @N: held against the Nth of them

TARGET is   veth | relay:CIPHER | adit:PATH[:KEY=VALUE...] | wireguard-go:PATH | nebula:PATH[:CIPHER]
CIPHER      of the relay: none, sodium, sodium512, ipsec-chacha, ipsec-aes; of nebula: aes, chachapoly

--json FILE keeps every figure, after each tunnel; --resume goes on with such a file where it ends, and --render makes
tables and plot of it without measuring. --document FILE: the lines between <!-- bench PLAN --> and <!-- end --> in it
are replaced. Needs root and what tests/packages lists.
"""

import argparse
import json
import os
import re
import sys
import time

import lab
import plot
import report
from measure import Meter
from plans import PLANS, Bar, Plan, Row


def own_plan(targets):
    """Targets of the command line: each figure beside that of its reference, without a bar."""
    found = [re.fullmatch(r"(.*?)(?:@(\d+))?", text).groups() for text in targets]
    rows = []
    for number, (target, _) in enumerate(found, 1):
        kind, *rest = target.split(":")
        rest = rest[1:] if kind in ("adit", "wireguard-go", "nebula") else rest
        rows.append(Row(" ".join([f"{number}", kind, *rest]), target))
    pairs = [(rows[i].name, rows[int(number) - 1].name) for i, (_, number) in enumerate(found) if number]
    return Plan(tuple(rows), ()), pairs


def measure(row, workshop, seconds, loads):
    kind, *arguments = row.target.split(":")
    target = lab.KINDS[kind](workshop, *arguments)
    lab.up()
    try:
        target.start()
        return getattr(Meter(target, seconds), loads)()
    finally:
        target.stop()
        lab.down()


def try_measure(row, workshop, seconds, loads):
    """The figures of one tunnel in one round; none when it failed, which is said and no more."""
    try:
        return measure(row, workshop, seconds, loads)
    except lab.TROUBLE as error:
        print(f"{row.name} failed: {error}\n{workshop.log_tail()}", file=sys.stderr, flush=True)
        return {}


def run_rounds(plan, record, count, save):
    """Appends to record["rounds"] until there are `count`; one that was broken off is completed first."""
    workshop = lab.Workshop()
    try:
        for number in range(count):
            if len(record["rounds"]) == number:
                record["rounds"].append({})
            done = record["rounds"][number]
            shift = number % len(plan.rows)
            for row in plan.rows[shift:] + plan.rows[:shift]:
                if done.get(row.name):
                    continue
                begin = time.monotonic()
                done[row.name] = try_measure(row, workshop, record["seconds"], plan.loads)
                shown = ", ".join(f"{name} {value:.2f}" for name, value in done[row.name].items())
                took = time.monotonic() - begin
                print(f"round {number + 1}, {took:.0f} s, {row.name}: {shown}", file=sys.stderr, flush=True)
                save(record)
    finally:
        workshop.close()


def ratio_table(pairs, rounds):
    """Own targets beside their references."""
    columns = [[report.number(report.figure_of(Bar(figure, mine, (other,), "<=", 0), rounds))
                for figure in report.names_of(rounds)] for mine, other in pairs]
    heads = ["ratio"] + [f"{mine} / {other}" for mine, other in pairs]
    return report.markdown(heads, [list(line) for line in zip(report.names_of(rounds), *columns)])


def tables(plan, pairs, record):
    rounds = record["rounds"]
    text = f"{record['machine']}\n\n{report.median_table(plan, rounds, record['seconds'])}\n\n"
    text += report.failures(rounds, plan.rows)
    if plan.bars:
        text += report.bar_table(plan, rounds) + "\n"
    if pairs:
        text += ratio_table(pairs, rounds) + "\n"
    return text


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of each load")
    parser.add_argument("--adit", default="build-bench/adit")
    parser.add_argument("--null", default="build-bench-null/adit", help="adit built with ADIT_NULL_CIPHER")
    parser.add_argument("--json")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--document")
    parser.add_argument("--plot")
    parser.add_argument("what", nargs="+", metavar="PLAN | TARGET")
    options = parser.parse_args()
    if (options.resume or options.render) and not options.json:
        parser.error("--resume and --render need --json")
    return options


def load(options):
    """What is known: of an earlier run, or nothing yet."""
    if options.render or options.resume and os.path.exists(options.json):
        with open(options.json) as file:
            return json.load(file)
    syscall = lab.empty_call()
    return {"what": options.what, "seconds": options.seconds, "syscall": syscall, "machine": report.machine(syscall),
            "rounds": []}


def main():
    options = parse()
    record = load(options)
    if options.what[0] in PLANS:
        plan, pairs = PLANS[options.what[0]](options.adit, options.null, record["syscall"]), []
    else:
        plan, pairs = own_plan(options.what)

    def save(record):
        if options.json:
            with open(options.json + ".new", "w") as file:
                json.dump(record, file, indent=1)
            os.replace(options.json + ".new", options.json)

    if not options.render:
        if os.geteuid():
            sys.exit("bench.py needs root: it makes network namespaces")
        run_rounds(plan, record, options.rounds, save)
    text = tables(plan, pairs, record)
    print(text)
    if options.document:
        report.replace_section(options.document, options.what[0], text)
    if options.plot:
        with open(options.plot, "w") as file:
            file.write(plot.draw(plan, record["rounds"], record["machine"]))
    return 0 if all(done.get(row.name) for done in record["rounds"] for row in plan.rows if not row.foreign) else 1


if __name__ == "__main__":
    sys.exit(main())
