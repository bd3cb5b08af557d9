#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Checks that no command is forgotten: each command of the table in src/main.c has help text, an entry in src/cli/words.c,
a section in man/adit.8, completion, and one line for wrong input. A new command is checked without a change of this file.

    command_line.py SOURCE-FOLDER ADIT
"""
import base64
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP, ADIT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
EMULATOR = os.environ.get("EMULATOR", "").split()
KIND = r"[A-Z][A-Z]+(?:\[?:[A-Z]+\]?)?"  # the name of a value, such as FILE or HOST[:PORT]

KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
VALUES = {"--endpoint": "192.0.2.1:51820", "--allowed-ips": "10.9.0.2/32"}  # an option is checked as soon as it is read
PEERS = ["alice", "albert's laptop"]  # in site.conf of the checks that run shells


class Skip(Exception):
    """This machine lacks what the check needs."""


def run(command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **more)


def adit(*words):
    return run([*EMULATOR, ADIT, *words])


def table():
    """The names of the commands, from the table in src/main.c."""
    text = (TOP / "src/main.c").read_text()
    rows = re.search(r"^static const struct command commands\[\] = \{\n(.*?)^\};", text, re.M | re.S).group(1)
    return re.findall(r'^\t\{ "([^"]+)",', rows, re.M)


def usage_of(command):
    """The arguments of a command, without its options: ["FILE...", "[IFNAME]"]."""
    line = adit(command, "--help").stdout.splitlines()[0]
    words = line.removeprefix(f"usage: adit {command}").strip()
    return re.sub(rf"\[?--?[a-z-]+(?: {KIND})?\]?(?:\.\.\.)?", "", words).split()


def options_of(command):
    """The options in the usage of a command, and those that lines of its help explain."""
    text = adit(command, "--help").stdout
    usage, _, rest = text.partition("\n")
    found = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", usage))
    for line in re.findall(r"^ +(-[^ ].*)$", rest, re.M):
        found |= set(re.findall(r"(?:^|, )(--?[a-z][a-z-]*)", line))
    return found


def completed(*words):
    return [line.split("\t")[0] for line in adit("--complete", *words).stdout.splitlines()]


def manual_section(command):
    """The lines of man/adit.8 about a command, with the sections that they refer to."""
    manual = (TOP / "man/adit.8").read_text()
    items = re.findall(rf"^\.It Cm {re.escape(command)}\b.*?(?=^\.It Cm |^\.Sh )", manual, re.M | re.S)
    titles = re.findall(r"^\.Sx (.*?) *[.,;]?$", "".join(items), re.M)
    return "".join(items + [re.search(rf"^\.Sh {title}$.*?(?=^\.Sh )", manual, re.M | re.S).group() for title in titles])


def the_help_of_the_program_lists_the_commands():
    listed = re.findall(r"^  adit ([a-z]+) ", adit("--help").stdout, re.M)
    assert listed == table(), f"{listed} instead of {table()}"
    assert max(map(len, adit("--help").stdout.splitlines())) < 80, "too wide"


def each_command_has_a_help_within_80_columns():
    for command in table():
        for words in [command, "--help"], [command, "-h"], ["help", command], [command, "word", "--help"]:
            done = adit(*words)
            assert done.returncode == 0 and not done.stderr, f"{words}: {done}"
            lines = done.stdout.splitlines()
            assert lines[0].startswith(f"usage: adit {command}") and len(lines) >= 3, f"{words}: {lines}"
            wide = [line for line in lines if len(line.expandtabs()) >= 80]
            assert not wide, f"{words}: too wide: {wide}"


def the_help_explains_each_option_of_the_usage():
    for command in table():
        lines = adit(command, "--help").stdout.splitlines()
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", lines[0]):
            assert any(option in line for line in lines[2:]), f"adit {command}: {option} has no line in the help"


def misspelled_commands_are_recognized():
    known = re.search(r"commands\[\] = \{\n(.*?)^\};", (TOP / "src/cli/words.c").read_text(), re.M | re.S).group(1)
    for command in table():
        if len(command) > 2:  # every other name of two letters would be a misspelling of "up"
            assert f'{{ "{command}", "adit {command}' in known, f"src/cli/words.c lacks {command}"


def the_manual_describes_each_command_and_option():
    synopsis = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh", (TOP / "man/adit.8").read_text(), re.M | re.S).group(1)
    for command in table():
        assert re.search(rf"^\.Cm (?:.* )?{re.escape(command)}\b", synopsis, re.M), f"the synopsis lacks {command}"
        section = manual_section(command)
        assert section, f"man/adit.8 lacks a section of {command}"
        for option in options_of(command):
            assert re.search(rf"\bFl {re.escape(option[1:])}\b", section), f"adit {command}: {option} is not in man/adit.8"


def wrong_input_gets_one_line():
    for command in table():
        usage = usage_of(command)
        wrong = [[command, "--no-such-option"], [command, "-x"]]
        needed = [word for word in usage if not word.startswith("[")]
        if needed:
            wrong.append([command])
        if not any(word.endswith("...") for word in usage):
            wrong.append([command] + ["no-such-word"] * (len(usage) + 2))
        for words in wrong:
            done = adit(*words)
            lines = done.stderr.splitlines()
            assert done.returncode == 1 and not done.stdout, f"{words}: {done}"
            assert len(lines) == 1 and re.match(rf"adit {command}( \w+)?: ", lines[0]), f"{words}: {lines}"
    for words in ["-x"], ["a/b"], ["--no-such-option"], ["-f"], ["-f", "a", "b"], ["wg9", "b"], ["--", "a/b"]:
        done = adit(*words)
        assert done.returncode == 1 and done.stderr.startswith("adit: ") and done.stderr.count("\n") == 1, done
    for name in "a/b", "a b", "sixteen-letters-", "..", "":
        done = adit("--", name)
        assert done.stderr.startswith(f'adit: "{name}" is not the name of an interface: '), done
    done = adit("send", "10.9.0.2")  # an interface has no argument, so a command is meant
    assert done.stderr == 'adit: "send" is not a command; see "adit --help"\n', done
    done = adit("log", "site", "debug")
    assert done.stderr == "adit log: the level comes first: adit log debug site\n", done


def values_of(command):
    """
    The options in the help of a command that have a value, each as the words before it and its name. The options of a
    peer in "init" follow "--peer", and those of "peer" follow "add".
    """
    text = adit(command, "--help").stdout
    for indent, option in re.findall(rf"^( +)(--[a-z-]+)(?: {KIND}|=[a-z]+)", text, re.M):
        yield {"init": ["--peer", KEY] if len(indent) > 2 else [], "peer": ["add"]}.get(command, []), option


def a_missing_value_is_reported():
    checked = 0
    for command in table():
        for before, option in values_of(command):
            title = rf"adit {command}{' add' if command == 'peer' else ''}: {option}: "
            for tail in [option], [option + "="], [option, "--no-such-option"]:
                done = adit(command, *before, *tail)
                assert done.returncode == 1 and not done.stdout, f"{command} {tail}: {done}"
                assert done.stderr == f"{title}the value is missing\n", f"{command} {tail}: {done.stderr}"
            checked += 1
    assert checked >= 22, checked


def an_option_that_is_given_twice_is_reported():
    for command in table():
        for before, option in values_of(command):
            if option in ("--peer", "--rotate"):  # these are lists
                continue
            title = rf"adit {command}{' add' if command == 'peer' else ''}: {option}: "
            value = VALUES.get(option, "1")
            for tail in [option, value, option, value], [option, value, f"{option}={value}"]:
                done = adit(command, *before, *tail)
                assert done.returncode == 1 and not done.stdout, f"{command} {tail}: {done}"
                assert done.stderr == f"{title}the option is given twice\n", f"{command} {tail}: {done.stderr}"


def incomplete_output_is_a_failure():
    with tempfile.TemporaryDirectory() as folder, open("/dev/full", "w") as full:
        path = pathlib.Path(folder)
        (path / "site.conf").write_text("[Interface]\n")
        (path / "hosts").write_text("network = 10.9.0.0/24\na 192.0.2.1\n")
        for words in (["--help"], ["--version"], ["help", "up"], ["doctor"], ["check", path / "site.conf"],
                      ["mesh", path / "hosts", "--out", path / "out"], ["init", path / "a.conf", "--address", "10.9.0.1/24"],
                      ["peer", "list", path / "site.conf"], ["metrics"], ["genpsk"]):
            done = subprocess.run([*EMULATOR, ADIT, *words], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=60)
            line = (done.stderr.splitlines() or [""])[-1]
            assert done.returncode == 1 and re.search("No space left on device|incomplete write", line), f"{words}: {done}"
            closed = run(["sh", "-c", 'exec "$@" >&-', "sh", *EMULATOR, ADIT, *words])
            assert closed.returncode == 1, f"{words}: {closed}"


def completion_offers_each_command_and_option():
    assert set(completed("")) == set(table()) | {"help"}, completed("")
    assert set(completed("help", "")) == set(table()), completed("help", "")
    for command in table():
        offered = completed(command, "--")
        for option in options_of(command):
            known = option in [word.split("=")[0] for word in offered]  # "--peers=off"
            assert known or not option.startswith("--"), f"adit {command}: {option} is not offered"
        assert len(offered) == len(set(offered)), f"adit {command}: offers {offered}"
    assert completed("peer", "list", "--") == ["--help"], completed("peer", "list", "--")
    assert completed("peer", "remove", "--") == ["--no-reload", "--help"], completed("peer", "remove", "--")
    for command in table():
        for word in usage_of(command)[:1]:
            if re.match(r"\[?FILE", word):
                assert ":configurations" in completed(command, ""), f"adit {command}: no files"
            for alternative in word.split("|") if "|" in word and word.islower() else ():
                assert alternative in completed(command, ""), f"adit {command}: {alternative} is not offered"


def completion_offers_interfaces_and_configurations():
    script = """set -e
        mount -t tmpfs tmpfs /run; mkdir /run/wireguard; : >/run/wireguard/lab.sock; : >/run/wireguard/x
        mount -t tmpfs tmpfs /etc; mkdir /etc/adit; : >/etc/adit/site.conf; : >/etc/adit/site.key"""
    if run(["unshare", "-rm", "sh", "-c", script]).returncode:
        raise Skip("no user namespaces")
    for command in table():
        done = run(["unshare", "-rm", "sh", "-c", script + '; "$@"', "sh", *EMULATOR, ADIT, "--complete", command, ""])
        offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
        for word in usage_of(command)[:1]:
            name = {"IFNAME": "lab", "NAME": "lab", "FILE": "site"}.get(word.strip("[].|"))
            assert not name or name in offered, f"adit {command}: {offered}"
            assert "x" not in offered and "site.key" not in offered, f"adit {command}: {offered}"


def in_folder(check):
    """Runs a check in a folder with some files, with adit in PATH."""
    if EMULATOR:
        raise Skip("adit runs under an emulator")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "folder").mkdir()
        (path / "a file.conf").touch()
        (path / "a-note").touch()
        (path / "hosts").write_text("network = 10.9.0.0/24\nberlin 192.0.2.1\nparis -\nbroken\n")
        (path / "site.d").mkdir()
        (path / "site.conf").write_text("[Interface]\nInclude = site.d\n")
        for number, name in enumerate(PEERS):
            public = base64.b64encode(bytes([number + 1]) * 32).decode()
            (path / f"site.d/{number}.conf").write_text(f"[Peer]\nName = {name}\nPublicKey = {public}\n")
        environment = {"PATH": f"{ADIT.parent}:{os.environ['PATH']}", "HOME": folder, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        check(path, environment)


def bash_completes():
    if not shutil.which("bash"):
        raise Skip("no bash")
    script = """
        compopt() { echo "compopt $*"; }
        source "$1"
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        $(complete -p adit | sed 's/.*-F \\([^ ]*\\) .*/\\1/') "$1"
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    def check(path, environment):
        def complete(*words):
            done = run(["bash", "-c", script, "bash", TOP / "completions/adit.bash", "adit", *words], cwd=path,
                       env=environment)
            assert not done.stderr, done.stderr
            return done.stdout.splitlines()

        assert set(complete("")) == set(table()) | {"help"}
        assert complete("sho") == ["show"]
        assert complete("show", "--j") == ["--json"]
        assert complete("run", "a") == ["compopt -o filenames", "a file.conf"]
        assert complete("run", "f") == ["compopt -o filenames", "folder"]
        assert complete("no-such-command", "") == [""]
        assert complete("log", "de") == ["debug"]
        assert complete("peer", "remove", "site.conf", "a") == ["alice", "albert\\'s\\ laptop"]
        assert complete("mesh", "hosts", "--rotate", "") == ["berlin", "paris", "broken"]
        assert complete("peer", "remove", "site.conf", "ali") == ["alice"]
        assert complete("peer", "remove", "site.conf", "albert\\'s\\ l") == ["albert\\'s\\ laptop"]
        assert complete("peer", "remove", "site.conf", '"albert\'s l') == ["albert's laptop"]
    in_folder(check)


def zsh_completes():
    if not shutil.which("zsh"):
        raise Skip("no zsh")
    # Types the beginnings of lines and a tab into a shell, and waits for the expected output.
    script = """
        zmodload zsh/zpty
        zpty z zsh -f -i
        zpty -w z "PS1='> '; fpath=(${(q)1} \\$fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=999; echo RE''ADY"
        zpty -r z output '*READY*> *' || exit
        shift
        while (( $# )); do
            zpty -w -n z $'\\x15'"$1"$'\\t'
            print -r -- "$1"
            zpty -r z output "*$2*" || exit
            shift 2
        done
    """

    def check(path, environment):
        lines = ["adit sho", "adit show", "adit show --j", "adit show --json", "adit run a", "a\\\\ file.conf",
                 "adit ", "*".join(sorted(table())), "adit log de", "adit log debug",
                 "adit mesh hosts --rotate be", "adit mesh hosts --rotate berlin",
                 "adit peer remove site.conf ali", "adit peer remove site.conf alice",
                 "adit peer remove site.conf alb", r"adit peer remove site.conf albert\\'s\\ laptop",
                 r"adit peer remove site.conf albert\'s\ la", r"adit peer remove site.conf albert\\'s\\ laptop"]
        done = run(["zsh", "-f", "-c", script, "zsh", TOP / "completions", *lines], cwd=path, env=environment)
        assert done.returncode == 0, f"{done}"
    in_folder(check)


def fish_completes():
    if not shutil.which("fish"):
        raise Skip("no fish")

    def check(path, environment):
        def complete(line):
            done = run(["fish", "--no-config", "-c", f"source '{TOP}/completions/adit.fish'; complete -C '{line}'"],
                       cwd=path, env=environment)
            assert not done.stderr, done.stderr
            return [line.split("\t")[0] for line in done.stdout.splitlines()]

        assert set(complete("adit ")) == set(table()) | {"help"}
        assert complete("adit sho") == ["show"]
        assert complete("adit show --j") == ["--json"]
        assert "a file.conf" in complete("adit run a")
        assert complete("adit log de") == ["debug"]
        assert complete("adit mesh hosts --rotate p") == ["paris"]
        assert complete("adit peer remove site.conf ali") == ["alice"]
        assert complete("adit peer remove site.conf alb") == ["albert's laptop"]
        assert complete(r"adit peer remove site.conf albert\\'s\\ la".replace("'", r"'\''")) == ["albert's laptop"]
        assert complete('adit peer remove site.conf "albert') == ["albert's laptop"]
    in_folder(check)


CHECKS = [the_help_of_the_program_lists_the_commands, each_command_has_a_help_within_80_columns,
          the_help_explains_each_option_of_the_usage, misspelled_commands_are_recognized,
          the_manual_describes_each_command_and_option, wrong_input_gets_one_line,
          a_missing_value_is_reported, an_option_that_is_given_twice_is_reported, incomplete_output_is_a_failure,
          completion_offers_each_command_and_option, completion_offers_interfaces_and_configurations, bash_completes,
          zsh_completes, fish_completes]


def main():
    failed = False
    print(f"1..{len(CHECKS)}")
    for number, check in enumerate(CHECKS, 1):
        name = check.__name__
        try:
            check()
            print(f"ok {number} - {name}")
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}")
        except (AssertionError, subprocess.TimeoutExpired) as reason:
            print(f"not ok {number} - {name}\n# {reason}")
            failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
