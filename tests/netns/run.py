#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Runs the cases of this folder and of ../systemd, each in its own mount, process and network namespaces. Prints one line
per test:

    ok SUITE/CASE: TEST
    not ok SUITE/CASE: TEST (REASON)
    skip SUITE/CASE: TEST (REASON)
"""

import argparse
import importlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

from lab import Lab, Skip

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "systemd"))
SUITES = ["basic", "interop", "forward", "examples", "readme", "cutter", "errors", "commands", "peers", "files",
          "life", "device", "device_life", "device_outer", "process", "source", "datapath", "overlay", "quick",
          "wg_quick", "reload", "network", "repair", "leaks", "workers", "flood", "idle", "names", "restart", "mesh",
          "hooks", "overlap", "name_servers", "doctor", "metrics", "prometheus", "show", "quality", "logs", "top",
          "mistakes", "service", "events", "hosts", "kernel", "managers"]
UNSHARE = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
           "--propagation", "private"]


def expand(suite, function):
    """Yields name, function and arguments of a case for every combination of its parameters."""
    parameters = function.case["parameters"]
    for values in itertools.product(*parameters.values()):
        chosen = dict(zip(parameters, values))
        label = ",".join(f"{name}={value}" for name, value in chosen.items())
        yield f"{suite}/{function.__name__}" + (f"[{label}]" if label else ""), function, chosen


def cases_of(suite):
    for function in vars(importlib.import_module(suite)).values():
        if hasattr(function, "case"):
            yield from expand(suite, function)


def run_inside(name, options):
    """Runs one case. The calling process is already in the new namespaces."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    suite = name.split("/")[0]
    function, chosen = next((function, chosen) for known, function, chosen in cases_of(suite) if known == name)
    settings = dict(setting.split("=", 1) for setting in options.set)
    lab = Lab(options.label + name, options.adit, settings, options.bench)
    try:
        function(lab, **chosen)
    except Skip as reason:
        lab.report("skip", "the case runs to its end", reason)
    except Exception as error:
        lab.fail("the case runs to its end", error)
    lab.close()
    return 1 if lab.failures else 0


def run_case(name, limit, options):
    """
    Runs a case in new namespaces and in a session of its own, which the kernel schedules as a group (sched(7), The
    autogroup feature): busy programs in the session of the caller leave it its time. Returns whether all of its tests
    passed.
    """
    command = [sys.executable, __file__, "--adit", options.adit, "--label", options.label, "--inside", name,
               *(f"--set={setting}" for setting in options.set), *["--bench"] * options.bench]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(UNSHARE + command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        output.seek(0)
        text = output.read()
    if code and "\nnot ok " not in "\n" + text:
        text += f"not ok {options.label}{name}: the case ends within {limit} s (exit code {code})\n"
    sys.stdout.write(text)
    sys.stdout.flush()
    return code == 0


def is_busy():
    """Whether more than four threads per processor can run."""
    with open("/proc/loadavg") as file:
        return int(file.read().split()[3].split("/")[0]) > 4 * os.cpu_count()


def run_all(cases, options):
    """
    Runs all waiting cases at the same time, and of the other cases four per processor, because they pause often. If
    the machine is busy, fewer of them run, but at least two, because a case that gets too little time fails.
    The cases that need the machine for themselves follow one by one. So do all cases if rates are judged.
    """
    slots = threading.Semaphore(1 if options.bench else 4 * os.cpu_count())
    begin, active, passed = threading.Lock(), [], []

    def work(name, case):
        if case["waits"] and not options.bench:
            passed.append(run_case(name, case["seconds"], options))
            return
        with slots:
            with begin:
                while len(active) >= 2 and is_busy():
                    time.sleep(0.1)
                active.append(name)
            passed.append(run_case(name, case["seconds"], options))
            active.remove(name)

    threads = [threading.Thread(target=work, args=(name, function.case), daemon=True)
               for name, function, _ in cases if not function.case["alone"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, function, _ in cases:
        if function.case["alone"]:
            work(name, function.case)
    return len(passed) == len(cases) and all(passed)


def selected(case, bench):
    return case["bench"] or case["bars"] if bench else not case["bench"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adit", required=True, type=os.path.abspath, metavar="PROGRAM", help="the adit to test")
    parser.add_argument("--quick", action="store_true", help="leave out the slow cases")
    parser.add_argument("--bench", action="store_true", help="run only the cases that measure rates or times, and judge them")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and exit")
    parser.add_argument("--label", default="", metavar="TEXT", help="text to print before each name")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a key for the [Interface] section of every INI file, unless the case sets the key")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("prefixes", nargs="*", default=[""], metavar="PREFIX",
                        help="run only the cases whose names start with a PREFIX")
    return parser.parse_args()


def main():
    options = arguments()
    if options.inside:
        return run_inside(options.inside, options)
    cases = [entry for suite in SUITES for entry in cases_of(suite)]
    for prefix in options.prefixes:
        if not any(name.startswith(prefix) for name, _, _ in cases):
            sys.exit(f"run.py: the name of no case starts with {prefix!r}; --list prints the names")
    cases = [entry for entry in cases
             if entry[0].startswith(tuple(options.prefixes)) and selected(entry[1].case, options.bench)
             and not (options.quick and entry[1].case["slow"])]
    if options.list:
        print("\n".join(name for name, _, _ in cases))
        return 0
    return 0 if run_all(cases, options) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # A shell that runs the tests in the background ignores these signals, and programs under test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    sys.exit(main())
