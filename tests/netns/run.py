#!/usr/bin/env python3
"""
Runs the cases of this folder, each in mount, process and network namespaces of its own, and prints one line a test:

    ok SUITE/CASE: test | not ok SUITE/CASE: test (reason) | lacks SUITE/CASE: test (what is missing)

usage: run.py --adit PROGRAM [--quick] [--list] [PATTERN...]     PATTERN: as SUITE/CASE in a shell's file names
"""

import argparse
import fnmatch
import importlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading

from lab import Lab

HERE = os.path.dirname(os.path.abspath(__file__))
SUITES = ["basic", "interop", "forward", "examples", "cutter", "errors", "life"]
UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]


def expand(suite, function):
    """Every combination of a case's parameters, by name."""
    parameters = function.case["parameters"]
    for values in itertools.product(*parameters.values()):
        chosen = dict(zip(parameters, values))
        label = ",".join(f"{name}={value}" for name, value in chosen.items())
        yield f"{suite}/{function.__name__}" + (f"[{label}]" if label else ""), function, chosen


def all_cases():
    for suite in SUITES:
        for function in vars(importlib.import_module(suite)).values():
            if hasattr(function, "case"):
                yield from expand(suite, function)


def run_inside(name, adit):
    """The part that runs in the new namespaces: one case."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    function, chosen = next((function, chosen) for known, function, chosen in all_cases() if known == name)
    lab = Lab(name, adit)
    try:
        function(lab, **chosen)
    except Exception as error:
        lab.fail("runs to its end", error)
    lab.close()
    return 1 if lab.failures else 0


def run_case(name, function, adit):
    """Runs a case in namespaces of its own; True when all its tests passed. A case that says nothing has failed."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(UNSHARE + [sys.executable, __file__, "--adit", adit, "--inside", name],
                                   stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            code = process.wait(function.case["seconds"])
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        output.seek(0)
        text = output.read()
    if code and "\nnot ok " not in "\n" + text:
        text += f"not ok {name}: case (ended with {code}, limit {function.case['seconds']} s)\n"
    sys.stdout.write(text)
    sys.stdout.flush()
    return code == 0


def run_all(cases, adit):
    """The cases that wait all at once, the others as many at a time as there are processors."""
    slots = threading.Semaphore(os.cpu_count())
    passed = []

    def work(name, function):
        if function.case["waits"]:
            passed.append(run_case(name, function, adit))
            return
        with slots:
            passed.append(run_case(name, function, adit))

    threads = [threading.Thread(target=work, args=(name, function)) for name, function, _ in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return all(passed)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--adit", default="adit")
    parser.add_argument("--quick", action="store_true", help="without the cases that take long")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("patterns", nargs="*")
    return parser.parse_args()


def main():
    options = arguments()
    adit = os.path.abspath(options.adit)
    if options.inside:
        return run_inside(options.inside, adit)
    cases = [entry for entry in all_cases()
             if not (options.quick and entry[1].case["slow"])
             and (not options.patterns or any(fnmatch.fnmatch(entry[0], pattern) for pattern in options.patterns))]
    if options.list:
        print("\n".join(name for name, _, _ in cases))
        return 0
    return 0 if run_all(cases, adit) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
