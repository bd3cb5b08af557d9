#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests the tables of the benchmarks with invented figures. Prints one line per test, "ok" or "not ok"."""

import os
import re
import sys
import tempfile
import traceback
import xml.etree.ElementTree

import plot
import report
import summary
from plans import PLANS, Bar, Plan, Row

COST = "TCP 1 flow CPU ns/B"
RELAY, ADIT, AGAIN = Row("relay", "relay:none"), Row("adit", "adit:x"), Row("relay, again", "relay:none")


def plan_with(*bars):
    return Plan((RELAY, ADIT, AGAIN), bars, ("relay", "relay, again"))


def rounds_of(*triples):
    return [{row.name: {COST: value} for row, value in zip((RELAY, ADIT, AGAIN), triple)} for triple in triples]


def verdict_of(bar, rounds):
    plan = plan_with(bar)
    return report.verdict(bar, report.figure_of(bar, rounds), report.noise(plan, rounds, bar.figure))


def ratios_are_computed_per_round():
    rounds = rounds_of((1, 2, 1), (2, 6, 2), (3, 3, 3))
    assert report.figure_of(Bar(COST, "adit", ("relay",), "<=", 1), rounds) == 2  # the medians' ratio is 1.5


def a_bar_is_an_upper_or_a_lower_limit():
    rounds = rounds_of((1, 1.05, 1))
    assert verdict_of(Bar(COST, "adit", ("relay",), "<=", 1.1), rounds) == report.MET
    assert verdict_of(Bar(COST, "adit", ("relay",), ">=", 1.1), rounds) == report.FAILED
    assert verdict_of(Bar(COST, "adit", ("relay",), "<=", 1.0), rounds) == report.FAILED


def the_difference_of_equal_rows_is_a_margin():
    rounds = rounds_of((1, 1.15, 1.2))
    assert verdict_of(Bar(COST, "adit", ("relay",), "<=", 1.1), rounds) == report.MARGIN
    assert verdict_of(Bar(COST, "adit", ("relay",), "<=", 1.1), rounds_of((1, 1.25, 1.2))) == report.FAILED
    assert verdict_of(Bar(COST, "adit", ("relay",), "<=", 1.1), rounds_of((1, 1.2, 1.5))) == report.FAILED  # too noisy
    assert verdict_of(Bar(COST, "adit", ("relay",), ">=", 2.8), rounds) == report.FAILED  # not a bar of equals
    assert verdict_of(Bar(COST, "adit", (), "<=", 1.1), rounds) == report.FAILED  # no ratio


def the_best_of_several_references_counts():
    rounds = [{"adit": {COST: 3}, "a": {COST: 2}, "b": {COST: 4}}, {"adit": {COST: 6}, "a": {COST: 4}, "b": {COST: 8}},
              {"adit": {COST: 9}, "a": {COST: 6}, "b": {COST: 5}}]
    assert report.figure_of(Bar(COST, "adit", ("a", "b"), "<=", 1), rounds) == 1.5
    assert report.figure_of(Bar(COST, "adit", ("a", "b"), ">=", 1), rounds) == 0.75


def without_a_reference_the_worst_round_counts():
    rounds = rounds_of((1, 3, 1), (1, 9, 1), (1, 2, 1))
    assert report.figure_of(Bar(COST, "adit", (), "<=", 10), rounds) == 9
    assert report.figure_of(Bar(COST, "adit", (), ">=", 1), rounds) == 2


def a_failed_round_is_reported_and_left_out():
    rounds = rounds_of((1, 1.5, 1), (1, 3, 1), (1, 1.7, 1))
    rounds[1]["adit"] = {}
    bar = Bar(COST, "adit", ("relay",), "<=", 1)
    assert abs(report.figure_of(bar, rounds) - 1.6) < 1e-9
    assert "adit in 1 of 3 rounds" in report.failures(rounds, plan_with(bar).rows)
    assert not report.failures(rounds_of((1, 1, 1)), plan_with(bar).rows)
    assert verdict_of(bar, [{"relay": {COST: 1}}]) == "not measured"


def the_rows_and_figures_of_plans_exist():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "measure.py")) as file:
        measured = re.sub(r"\{size\}", "64", file.read())
    for name, make in PLANS.items():
        plan = make("adit", "null", 1000)
        rows = {row.name for row in plan.rows}
        assert len(rows) == len(plan.rows), f"{name}: two rows of one name"
        for bar in plan.bars:
            assert {bar.row, *bar.reference} <= rows, f"{name}: {bar}"
            stem = re.sub(r"^TCP (1 flow reverse|1 flow|4 flows|both ways|in VXLAN)|^UDP [0-9,]+ B( 16 flows)?", "",
                          bar.figure)
            assert stem in measured, f"{name}: {bar.figure} is never measured"


def only_the_named_section_is_replaced():
    with tempfile.NamedTemporaryFile("w+", suffix=".md") as file:
        file.write("a\n<!-- bench x -->\nold\n<!-- end -->\nb\n<!-- bench y -->\nkept\n<!-- end -->\n")
        file.flush()
        report.replace_section(file.name, "x", "new \\1\n")
        file.seek(0)
        assert open(file.name).read() == ("a\n<!-- bench x -->\nnew \\1\n<!-- end -->\nb\n<!-- bench y -->\nkept\n"
                                          "<!-- end -->\n")


def the_plot_is_xml_with_a_bar_per_row():
    rounds = rounds_of((1, 2, 1), (3, 2, 1))
    root = xml.etree.ElementTree.fromstring(plot.draw(plan_with(), rounds, "a machine with < and &"))
    assert len(root.findall("{*}rect")) == 3


def the_summary_for_users_agrees_with_the_measurements():
    assert summary.agrees(), "run tests/bench/summary.py"


TESTS = [ratios_are_computed_per_round, a_bar_is_an_upper_or_a_lower_limit, the_difference_of_equal_rows_is_a_margin,
         the_best_of_several_references_counts, without_a_reference_the_worst_round_counts,
         a_failed_round_is_reported_and_left_out, the_rows_and_figures_of_plans_exist,
         only_the_named_section_is_replaced, the_plot_is_xml_with_a_bar_per_row,
         the_summary_for_users_agrees_with_the_measurements]


def main():
    failed = 0
    for test in TESTS:
        try:
            test()
            print(f"ok bench: {test.__name__.replace('_', ' ')}")
        except Exception as error:
            failed += 1
            line = traceback.extract_tb(error.__traceback__)[-1].line
            print(f"not ok bench: {test.__name__.replace('_', ' ')} ({error or line})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
