#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Counts the instructions per datagram in egress and ingress, with callgrind and datapath.c, and compares them with the
figures in docs/notebook/measurements.md. Prints one line per figure: "ok", "not ok" if it has grown by more than 1 %, or
"skip". Another compiler than that of the figures may need 5 % more.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

import report

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = os.path.join(HERE, "..", "..", "docs", "notebook", "measurements.md")
GROWTH, GROWTH_OF_OTHER_COMPILERS = 1.01, 1.05
ROUNDS = 50, 150  # the difference of two runs contains no handshake and no initialization
CIPHER = "nothing_seal", "nothing_open"
# Makes glibc copy memory with instructions that every x86-64 processor has. valgrind hides AVX-512 anyway.
PIN = "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM"
FIGURES = {"egress of a TCP super-packet": ("tcp", "on_tun"), "ingress of TCP": ("tcp", "on_datagrams"),
           "egress of packets of 64 bytes": ("udp", "on_tun"), "ingress of 64 bytes": ("udp", "on_datagrams")}


def collect(program, load, function, rounds):
    """Returns the instructions in `function` without those of the cipher, and the number of datagrams."""
    with tempfile.TemporaryDirectory() as folder:
        toggles = [f"--toggle-collect={name}*" for name in (function, *CIPHER)]  # LTO adds suffixes
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                               "--collect-atstart=no", *toggles, program, load, str(rounds)], capture_output=True,
                              text=True, timeout=120, env={**os.environ, "GLIBC_TUNABLES": PIN})
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found or not int(found.group(1)):
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return int(found.group(1)), int(done.stdout)


def count(build, load, function):
    program = os.path.join(build, "tests", "bench", "bench_datapath")
    few, many = (collect(program, load, function, rounds) for rounds in ROUNDS)
    return (many[0] - few[0]) / (many[1] - few[1])


def compiler(build):
    """Returns the name and version of the compiler of a build."""
    paths = glob.glob(os.path.join(glob.escape(build), "CMakeFiles", "*", "CMakeCCompiler.cmake"))
    with open(max(paths, key=os.path.getmtime)) as file:
        return " ".join(re.findall(r'^set\(CMAKE_C_COMPILER_(?:ID|VERSION) "(.+)"\)$', file.read(), re.MULTILINE))


def recorded():
    """Returns the compiler of the document and its figures by name."""
    with open(DOCUMENT) as file:
        section = re.search(r"<!-- bench instructions -->\n(.*?)<!-- end -->", file.read(), re.DOTALL).group(1)
    (by,) = re.findall(r"^\| instructions per datagram \| (.+) \|$", section, re.MULTILINE)
    return by, {name: float(value) for name, value in re.findall(r"^\| ([^|]+) \| ([\d.]+) \|$", section, re.MULTILINE)}


def check(build):
    (by, known), failed = recorded(), False
    growth = GROWTH if by == compiler(build) else GROWTH_OF_OTHER_COMPILERS
    for name, (load, function) in FIGURES.items():
        label = f"instructions: {name}"
        try:
            found = count(build, load, function)
        except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
            print(f"not ok {label} ({error})", flush=True)
            failed = True
            continue
        limit = known.get(name, 0) * growth
        failed |= found > limit
        title = f"{label}: at most {limit:.0f} per datagram"
        print(f"ok {title}" if found <= limit else f"not ok {title} ({found:.0f})", flush=True)
    return failed


def record(build):
    lines = [[name, f"{count(build, load, function):.1f}"] for name, (load, function) in FIGURES.items()]
    report.replace_section(DOCUMENT, "instructions", report.markdown(["instructions per datagram", compiler(build)], lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, metavar="FOLDER", help="a build with tests")
    parser.add_argument("--record", action="store_true", help="write the figures to the document instead")
    options = parser.parse_args()
    with open("/proc/cpuinfo") as info:
        if " avx2 " not in info.read():
            print("skip instructions (the recorded figures need a processor with AVX2)")
            return 0
    if options.record:
        record(options.build)
        return 0
    return 1 if check(options.build) else 0


if __name__ == "__main__":
    sys.exit(main())
