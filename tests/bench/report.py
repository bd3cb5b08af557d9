# SPDX-License-Identifier: MIT
"""The tables of a run: the medians of all figures, and the bars with the figures that were reached."""

import os
import platform
import re
import statistics
import sys

MAX_NOISE = 0.25  # if equal rows differ by more, the run is too noisy for a margin
FAILED, MARGIN, MET = "**missed**", "within the margin", "met"


def names_of(rounds):
    """Returns the names of all figures in the order of measurement. Rows without daemons lack some figures."""
    sets = sorted((figures for done in rounds for figures in done.values()), key=len, reverse=True)
    return list(dict.fromkeys(name for figures in sets for name in figures))


def values(rounds, row, figure):
    return [done[row][figure] for done in rounds if figure in done.get(row, {})]


def median(found):
    return statistics.median(found) if found else None


def best(bar, rounds):
    """
    Returns the reference with the best median. The best reference of each round would be unfair: it would prefer the
    luckier one of two equal rows.
    """
    medians = {name: median(values(rounds, name, bar.figure)) for name in bar.reference}
    found = [name for name in medians if medians[name]]
    return (min if bar.sense == "<=" else max)(found, key=medians.get) if found else None


def figure_of(bar, rounds):
    """Returns the value that a bar limits, or None if it was not measured."""
    if not bar.reference:
        found = values(rounds, bar.row, bar.figure)
        return (max(found) if bar.sense == "<=" else min(found)) if found else None
    reference = best(bar, rounds)
    pairs = [(done.get(bar.row, {}).get(bar.figure), done.get(reference, {}).get(bar.figure)) for done in rounds]
    return median([mine / other for mine, other in pairs if mine and other])


def noise(plan, rounds, figure):
    """Returns the relative difference of a figure between two rows with the same target."""
    if not plan.twice:
        return None
    pairs = [[done.get(name, {}).get(figure) for name in plan.twice] for done in rounds]
    ratio = median([again / first for first, again in pairs if first and again])
    return None if ratio is None else abs(1 - ratio)


def holds(bar, figure, limit):
    return figure <= limit if bar.sense == "<=" else figure >= limit


def verdict(bar, figure, spread):
    if figure is None:
        return "not measured"
    if holds(bar, figure, bar.limit):
        return MET
    widened = 1 + (spread or 0) * (1 if bar.sense == "<=" else -1)
    if bar.has_margin and spread and spread <= MAX_NOISE and holds(bar, figure, widened):
        return MARGIN
    return FAILED


def number(value):
    return "" if value is None else f"{value:.2f}"


def markdown(heads, lines):
    rows = [heads, ["---"] * len(heads)] + lines
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def median_table(plan, rounds, seconds):
    heads = [f"median of {len(rounds)} x {seconds} s"] + [row.name for row in plan.rows]
    lines = [[figure] + [number(median(values(rounds, row.name, figure))) for row in plan.rows]
             for figure in names_of(rounds)]
    return markdown(heads, lines)


def bar_table(plan, rounds):
    lines, met = [], 0
    for bar in plan.bars:
        figure, spread = figure_of(bar, rounds), noise(plan, rounds, bar.figure)
        result = verdict(bar, figure, spread)
        met += result in (MET, MARGIN)
        lines.append([bar.figure, bar.pair, f"{bar.sense} {bar.limit:.2f}", number(figure),
                      number(spread) if bar.has_margin else "", result])
    table = markdown(["figure", "of", "bar", "reached", "margin", ""], lines)
    return f"{table}\n\n{met} of {len(lines)} bars are met."


def failures(rounds, rows):
    """Returns a sentence with the number of failed rounds by row, or nothing."""
    counts = {row.name: sum(not done.get(row.name) for done in rounds) for row in rows}
    lost = ", ".join(f"{name} in {count}" for name, count in counts.items() if count)
    return f"Failed and not measured: {lost} of {len(rounds)} rounds.\n\n" if lost else ""


def machine(syscall):
    """Describes the machine: processor, kernel, and the duration of an empty system call."""
    with open("/proc/cpuinfo") as info:
        pairs = (line.split(":", 1) for line in info if ":" in line)
        found = {name.strip(): value.strip() for name, value in pairs}
    flags = found.get("flags", "").split()
    wide = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "no AVX2")
    return (f"{found.get('model name', platform.machine())}, {wide}, {os.cpu_count()} cores, "
            f"Linux {platform.release().split('-')[0]}, an empty system call takes {syscall:.0f} ns")


def replace_section(path, name, text):
    """Replaces the lines between <!-- bench NAME --> and <!-- end --> in a document."""
    with open(path) as file:
        document = file.read()
    pattern = re.compile(rf"(<!-- bench {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(document):
        sys.exit(f"{path}: no section <!-- bench {name} --> ... <!-- end -->")
    with open(path, "w") as file:
        file.write(pattern.sub(lambda found: found.group(1) + text + found.group(2), document))
