#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Compares tunnels. A round starts, measures and stops each tunnel in turn, so that a machine that becomes slower affects
all of them. Each round starts with a different tunnel. A figure is the median over the rounds. A ratio is the median of
the ratios of the individual rounds.

    bench.py [OPTIONS] PLAN              PLAN is tunnels, mixed, backends or workers (plans.py)
    bench.py [OPTIONS] TARGET[@N]...     @N compares the target with the Nth target

TARGET is veth, relay:CIPHER, adit:PATH[:KEY=VALUE...], wireguard-go:PATH or nebula:PATH[:CIPHER]. The ciphers of the
relay are none, sodium, sodium512, ipsec-chacha and ipsec-aes; those of nebula are aes and chachapoly.

Needs root and the packages of the groups test and bench in tests/packages.
"""

import argparse
import dataclasses
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
    """Returns a plan for the targets of the command line, and the pairs to compare."""
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
    """Returns the figures of one tunnel in one round, or none if it failed. A failure is printed."""
    try:
        return measure(row, workshop, seconds, loads)
    except lab.ERRORS as error:
        print(f"{row.name} failed: {error}\n{workshop.log_tail()}", file=sys.stderr, flush=True)
        return {}


def run_rounds(plan, record, count, save):
    """Adds rounds to record["rounds"] until there are `count`. An interrupted round is completed first."""
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
    """Returns a table that compares targets of the command line with their references."""
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
    parser.add_argument("--seconds", type=int, default=2, help="the duration of each load")
    parser.add_argument("--loads", choices=["plain", "datagrams", "mixed"], help="the loads, if not those of the plan")
    parser.add_argument("--adit", default="build-bench/adit", help="the adit of a plan")
    parser.add_argument("--null", default="build-bench-null/adit", help="an adit that was built with ADIT_NULL_CIPHER")
    parser.add_argument("--json", metavar="FILE", help="save all figures after each tunnel")
    parser.add_argument("--resume", action="store_true", help="continue the interrupted run of the --json file")
    parser.add_argument("--render", action="store_true", help="print the figures of the --json file without measuring")
    parser.add_argument("--document", metavar="FILE",
                        help="replace the lines between <!-- bench PLAN --> and <!-- end --> in FILE by the tables")
    parser.add_argument("--plot", metavar="FILE", help="write a plot in SVG format")
    parser.add_argument("what", nargs="+", metavar="PLAN | TARGET")
    options = parser.parse_args()
    if (options.resume or options.render) and not options.json:
        parser.error("--resume and --render need --json")
    return options


def load(options):
    """Returns the record of an earlier run, or a new one."""
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
    if options.loads:
        plan = dataclasses.replace(plan, loads=options.loads)

    def save(record):
        if options.json:
            with open(options.json + ".new", "w") as file:
                json.dump(record, file, indent=1)
            os.replace(options.json + ".new", options.json)

    if not options.render:
        if os.geteuid():
            sys.exit("bench.py needs root to create network namespaces")
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
