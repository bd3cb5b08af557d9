#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the include graph: every #include names a layer that CMakeLists.txt allows, and no two modules depend on each
other. A module is a public header and the files that are named after it: include/adit/io/netlink.h, src/io/netlink.c and
src/io/netlink_route.c are io/netlink. Also checks that docs/architecture.md shows the layers of CMakeLists.txt, that each
layer uses those that it may include, and that no two files define a function of the same name, because a backtrace and
perf(1) show the name alone.

layers.py SOURCE-FOLDER"""
import pathlib
import re
import sys


def allowed_layers(top):
    """The layers that each layer may include, as the adit_layer calls in CMakeLists.txt list them."""
    allowed = {}
    for name, rest in re.findall(r"^adit_layer\((\w+)(.*)\)$", (top / "CMakeLists.txt").read_text(), re.M):
        listed = re.search(r"INCLUDES((?: (?!LIBRARIES)\w+)*)", rest)
        allowed[name] = {name} | set(listed.group(1).split() if listed else ())
    return allowed


def module_of(top, layer, stem):
    """The module that a file of the layer belongs to: the public header with the longest name that its name begins with."""
    parts = stem.split("_")
    for length in range(len(parts), 0, -1):
        name = "_".join(parts[:length])
        if (top / "include" / "adit" / layer / (name + ".h")).exists():
            return f"{layer}/{name}"
    return f"{layer}/{stem}"


def sources_of(top):
    for folder in (top / "src", top / "include" / "adit"):
        yield from sorted(folder.glob("*/*.[ch]"))


def includes_of(path):
    return re.findall(r'^#\s*include "([^"]+)"', path.read_text(), re.M)


def find_cycle(graph):
    """One cycle of `graph` as a list of modules, or None."""
    state = {}

    def visit(node, trail):
        state[node] = "open"
        for other in sorted(graph.get(node, ())):
            if state.get(other) == "open":
                return trail[trail.index(other):] + [other] if other in trail else [node, other]
            if other not in state:
                cycle = visit(other, trail + [other])
                if cycle:
                    return cycle
        state[node] = "done"
        return None

    for node in sorted(graph):
        if node not in state:
            cycle = visit(node, [node])
            if cycle:
                return cycle
    return None


def check(top):
    allowed = allowed_layers(top)
    errors, graph = [], {}
    for path in sources_of(top):
        layer, where = path.parent.name, path.relative_to(top)
        module = module_of(top, layer, path.stem)
        if layer not in allowed:
            errors.append(f"{where}: CMakeLists.txt has no adit_layer({layer})")
            continue
        for include in includes_of(path):
            if "/" not in include:  # a private header, beside the file
                other, target = layer, module_of(top, layer, include.removesuffix(".h"))
                if not (path.parent / include).exists():
                    errors.append(f'{where}: "{include}" names no layer, and is no private header of {layer}')
            else:
                other, target = include.split("/")[0], include.removesuffix(".h")
                if not (top / "include" / "adit" / include).exists():
                    errors.append(f'{where}: "{include}" does not exist')
            if other not in allowed[layer]:
                errors.append(f'{where}: "{include}" is not allowed: {layer} may include {", ".join(sorted(allowed[layer]))}')
            if target != module:
                graph.setdefault(module, set()).add(target)
    cycle = find_cycle(graph)
    if cycle:
        errors.append("modules that include each other: " + " -> ".join(cycle))
    return errors


def check_permissions(top):
    """Finds layers that CMakeLists.txt permits and nothing includes."""
    used = {}
    for path in sources_of(top):
        used.setdefault(path.parent.name, set()).update(name.split("/")[0] for name in includes_of(path) if "/" in name)
    return [f"CMakeLists.txt: {layer} may include {other}, but does not"
            for layer, permitted in sorted(allowed_layers(top).items())
            for other in sorted(permitted - {layer} - used.get(layer, set()))]


def check_functions(top):
    """Finds functions that several files of src define. A definition begins a line, and its body has a line of its own."""
    files = {}
    for path in sorted((top / "src").glob("**/*.[ch]")):
        text = re.sub(r"__attribute__\(\(.*?\)\)\s*", "", path.read_text())
        for name in re.findall(r"^(?:\w[\w \t*]*[ *])?(\w+)\([^;{}]*\)\n\{", text, re.M):
            files.setdefault(name, set()).add(str(path.relative_to(top)))
    return [f"{name} is defined in {', '.join(sorted(where))}" for name, where in sorted(files.items()) if len(where) > 1]


def documented_layers(document):
    """The table of docs/architecture.md, as allowed_layers returns it."""
    rows = re.findall(r"^\| `(\w+)` \|([\w ]*)\|", document, re.M)
    return {name: {name} | set(listed.split()) for name, listed in rows}


def documented_arrows(document):
    """The arrows of the graph in docs/architecture.md."""
    graph = re.search(r"^```mermaid\n(.*?)^```$", document, re.M | re.S)
    return set(re.findall(r"^ +(\S+) --> (\S+)$", graph.group(1) if graph else "", re.M))


def needed_arrows(allowed):
    """The arrows from each layer to those that it may include, without the ones that follow from two others."""
    def reach(name):
        return {name}.union(*(reach(other) for other in allowed[name] - {name}))

    return {(name, other) for name in allowed for other in allowed[name] - {name}
            if not any(other in reach(third) for third in allowed[name] - {name, other})}


def check_document(top):
    """Compares docs/architecture.md with CMakeLists.txt."""
    allowed = allowed_layers(top)
    document = (top / "docs" / "architecture.md").read_text()
    table, errors = documented_layers(document), []
    for name in sorted(allowed.keys() | table.keys()):
        if allowed.get(name) != table.get(name):
            errors.append(f"docs/architecture.md: the table says that {name} may include "
                          f"{sorted(table.get(name, ()))}, CMakeLists.txt says {sorted(allowed.get(name, ()))}")
    main = re.search(r"^target_link_libraries\(adit PRIVATE ([\w ]+)\)$", (top / "CMakeLists.txt").read_text(), re.M)
    allowed["main.c"] = {"main.c"} | set(main.group(1).split())
    drawn, needed = documented_arrows(document), needed_arrows(allowed)
    errors += [f"docs/architecture.md: the graph has {a} --> {b}, CMakeLists.txt has not" for a, b in sorted(drawn - needed)]
    errors += [f"docs/architecture.md: the graph lacks {a} --> {b}" for a, b in sorted(needed - drawn)]
    return errors


if __name__ == "__main__":
    source = pathlib.Path(sys.argv[1])
    found = check(source) + check_permissions(source) + check_functions(source) + check_document(source)
    for line in found:
        print(line)
    sys.exit(bool(found))
