# SPDX-License-Identifier: MIT
"""Writes test vectors as C headers, or compares them with existing headers."""

import pathlib
import sys


def c_value(value):
    """Returns a C initialiser for an integer or for bytes."""
    if isinstance(value, int):
        return f" {value:#x}"
    lines = [value[i : i + 16] for i in range(0, len(value), 16)]
    return " {\n" + "".join("\t\t\t" + " ".join(f"0x{byte:02x}," for byte in line) + "\n" for line in lines) + "\t\t}"


def c_field(name, value):
    return f"\tuint32_t {name};\n" if isinstance(value, int) else f"\tuint8_t {name}[{len(value)}];\n"


def header(script, kind, cases):
    """Returns a header with `struct kind` and the array `kind`s. Each case is a dict with the same names and sizes."""
    text = f"/* SPDX-License-Identifier: MIT */\n/* Made by {script}; do not edit. */\n#include <stdint.h>\n\n"
    text += f"struct {kind} {{\n" + "".join(c_field(*item) for item in cases[0].items()) + "};\n\n"
    text += f"static const struct {kind} {kind}s[] = {{\n"
    for case in cases:
        text += "\t{\n" + "".join(f"\t\t.{name} ={c_value(value)},\n" for name, value in case.items()) + "\t},\n"
    return text + "};\n"


def write_or_check(path, text):
    """Writes `text` to `path`. With --check on the command line, exits with an error if the file differs."""
    path = pathlib.Path(path)
    if "--check" not in sys.argv[1:]:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        sys.exit(f"{path.name}: differs from the output of its script")
