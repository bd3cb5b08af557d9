#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Captures the output of `adit show` from a terminal (tmux) of 80 and 120 columns, with 3 and 300 peers, and compares it with
the screens and the picture in docs/screens.

screens.py SOURCE-FOLDER ADIT            fails if a screen differs
screens.py SOURCE-FOLDER ADIT --write    writes the screens
"""
import itertools
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

import fake_daemons
from fake_daemons import Daemon

TOP, ADIT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
EMULATOR = os.environ.get("EMULATOR", "").split()
SCREENS = TOP / "docs/screens"
TRIES = 10  # an age may change between the answer of a daemon and its output

# name of the file: columns, arguments
CAPTURED = {
    "show-3-peers-80": (80, "show site"),
    "show-3-peers-120": (120, "show site"),
    "show-3-peers-brief-80": (80, "show site --brief"),
    "show-3-peers-brief-120": (120, "show site --brief"),
    "show-300-peers-80": (80, "show shops"),
    "show-300-peers-120": (120, "show shops"),
    "show-counters-80": (80, "show site --counters"),
}
PICTURES = {"show-3-peers": "show site --svg", "show-300-peers": "show shops --svg"}


numbers = itertools.count()


def capture(columns, arguments, *options):
    """Returns what a terminal with so many columns shows, with all that has scrolled off its top."""
    server = f"screens-{next(numbers)}"  # the one before may still be ending

    def tmux(*words):
        done = subprocess.run(["tmux", "-L", server, "-f", "/dev/null", *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"tmux {words[0]}: {done.stderr}"
        return done.stdout

    script = f"{shlex.join([*EMULATOR, str(ADIT)])} {arguments}; tmux -L {server} wait-for -S shown; sleep 600"
    try:
        tmux("new-session", "-d", "-s", "screen", "-x", str(columns), "-y", "24", script)
        tmux("wait-for", "shown")
        text = tmux("capture-pane", "-p", "-S", "-", "-t", "screen", *options)
    finally:
        tmux("kill-server")
    return text.rstrip("\n") + "\n"


def screen_of(name):
    columns, arguments = CAPTURED[name]
    text = capture(columns, arguments)
    joined = capture(columns, arguments, "-J")  # lines that tmux has broken are whole again
    wide = [line for line in joined.splitlines() if len(line.rstrip()) > columns]
    assert not wide, f"wider than {columns} columns: {wide[0]!r}"
    return f"$ adit {arguments}\n{text}"


def picture_of(name):
    return subprocess.run([*EMULATOR, ADIT, *PICTURES[name].split()], capture_output=True, text=True, check=True).stdout


def check(file, make):
    """Returns what is wrong with the stored file, or None."""
    stored = file.read_text() if file.exists() else ""
    for _ in range(TRIES):
        try:
            made = make()
        except AssertionError as error:
            made, reason = None, str(error)
            continue
        if made == stored:
            return None
        reason = next((f"line {number}: {new!r} instead of {old!r}"
                       for number, (new, old) in enumerate(zip(made.splitlines(), stored.splitlines()), 1) if new != old),
                      "another number of lines")
    return f"{reason}; to write it again: python3 tests/unit/screens.py . ADIT --write"


def main(write):
    files = {SCREENS / f"{name}.txt": lambda name=name: screen_of(name) for name in CAPTURED}
    files |= {SCREENS / f"{name}.svg": lambda name=name: picture_of(name) for name in PICTURES}
    failed = False
    if write:
        SCREENS.mkdir(exist_ok=True)
        for file, make in files.items():
            file.write_text(make())
    print(f"1..{len(files)}")
    for number, (file, make) in enumerate(files.items(), 1):
        reason = check(file, make)
        print(f"{'not ok' if reason else 'ok'} {number} - {file.name}" + (f"\n# {reason}" if reason else ""))
        failed |= bool(reason)
    return failed


if __name__ == "__main__":
    if not shutil.which("tmux"):
        print("skipped: no tmux")
        sys.exit(fake_daemons.SKIPPED)
    fake_daemons.enter()
    os.environ |= {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    for variable in "TMUX", "NO_COLOR", "COLUMNS":
        os.environ.pop(variable, None)
    with tempfile.TemporaryDirectory() as directory:
        os.environ["TMUX_TMPDIR"] = directory
        Daemon("site", {"get=1": fake_daemons.three, "counters=1": lambda: fake_daemons.counters})
        Daemon("shops", {"get=1": fake_daemons.many()})
        code = main("--write" in sys.argv)
    sys.exit(code)
