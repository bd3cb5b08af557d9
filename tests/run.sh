#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds adit and runs every test. Needs root and Debian 12 or 13. Installs the missing packages of tests/packages.
#
#   sh tests/run.sh            all tests, in less than 20 minutes on an idle machine
#   sh tests/run.sh --quick    in less than 3 minutes: no sanitizers, no long waits, no container
#
# Prints one line per test: "ok NAME", "not ok NAME (REASON)" or "skip NAME (REASON)". The last line is
# "N passed, N failed". The exit code is 1 if a test failed.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh

# stage NAME COMMAND...: runs a command that prints verdicts. A command that fails without a verdict is a failed test.
stage() {
	name=$1
	shift
	echo "== $name"
	{ "$@" 2>&1 || echo $? >"$work/failed"; } | tee "$work/stage"
	if [ -e "$work/failed" ] && ! grep -q '^not ok ' "$work/stage"; then
		echo "not ok $name (exit code $(cat "$work/failed"))" | tee -a "$work/stage"
	fi
	rm -f "$work/failed"
	cat "$work/stage" >>"$work/verdicts"
}

# build_stage FOLDER OPTION...
build_stage() {
	rm -f "$1/adit" # never test the program of an earlier build
	if build "$@"; then
		echo "ok build: $*"
	else
		echo "not ok build: $*"
	fi
}

# unit_stage LABEL FOLDER [REGEX]: runs the unit tests, with $under as a prefix to the command
unit_stage() {
	CMOCKA_MESSAGE_OUTPUT=TAP $under ctest --test-dir "$2" -V -j "$(nproc)" -R "${3-.}" >"$work/ctest" 2>&1 || true
	awk -v label="$1" -f tests/units.awk "$work/ctest"
}

demo_stage() {
	python3 tests/netns/demo.py build-test/adit && echo "ok demonstration: runs to its end"
}

# The static analysis needs processors only, and the tests leave them idle while they wait. It therefore runs beside the
# tests, in a process group of its own.
begin_analysis() {
	setsid sh tests/analyze.sh >"$work/analysis" 2>&1 &
	analysis=$!
}

analysis_stage() {
	cat "$work/analysis"
	return "$1"
}

end_analysis() {
	[ -z "$analysis" ] || kill -- "-$analysis" || true
}

# count WORD: prints the number of verdicts that start with the word
count() {
	grep -c "^$1 " "$work/verdicts" || true
}

quick=
under=
case "$*" in
"") ;;
--quick) quick=--quick ;;
*) die "usage: run.sh [--quick]" ;;
esac
need_root
packages_install demo test
work=$(mktemp -d)
analysis=
trap 'end_analysis; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

stage "build" build_stage build-test -DCMAKE_BUILD_TYPE=Release -DADIT_WERROR=ON
[ -n "$quick" ] || begin_analysis
if [ -x build-test/adit ]; then
	stage "unit tests" unit_stage unit build-test
	stage "network namespaces and systemd" python3 tests/netns/run.py --adit build-test/adit $quick
	suites="basic/ cutter/ forward/ reload/differences"
	[ -z "$quick" ] || suites=basic/tunnel
	for setting in TunBackend=syscalls TunBackend=io_uring Workers=2 UdpGso=off UdpGro=off TunOffload=off; do
		stage "tunnels with $setting" python3 tests/netns/run.py --adit build-test/adit $quick --set "$setting" \
			--label "$setting-" $suites
	done
	stage "demonstration" demo_stage
	stage "package" sh tests/package.sh quick build-test
	stage "tables of the benchmarks" python3 tests/bench/check.py
	[ -n "$quick" ] || stage "instructions" python3 tests/bench/instructions.py --build build-test
fi
if [ -n "$analysis" ]; then
	code=0
	wait "$analysis" || code=$?
	analysis=
	stage "static analysis" analysis_stage "$code"
fi
[ -n "$quick" ] || stage "build with sanitizers" build_stage build-sanitize -DADIT_WERROR=ON -DADIT_SANITIZE=ON
if [ -z "$quick" ] && [ -x build-sanitize/adit ]; then
	stage "unit tests with sanitizers" unit_stage unit-sanitized build-sanitize
	stage "tunnels with sanitizers" python3 tests/netns/run.py --adit build-sanitize/adit --label sanitized- \
		basic/ forward/ cutter/ errors/ life/
fi
[ -n "$quick" ] || stage "build with the thread sanitizer" build_stage build-threads -DADIT_WERROR=ON -DADIT_TSAN=ON
if [ -z "$quick" ] && [ -x build-threads/adit ]; then
	under="setarch -R" # the thread sanitizer needs a process without address space randomization
	stage "unit tests with the thread sanitizer" unit_stage unit-threads build-threads \
		"^(control|mailbox|worker_pool|worker_pool_control|staged|timers|session|worker|handshake|admission|peer|log)$"
	stage "tunnels with the thread sanitizer" $under python3 tests/netns/run.py --adit build-threads/adit \
		--label threads- --set Workers=2 workers/ life/ reload/differences
fi

echo "== summary"
grep '^not ok \|^skip ' "$work/verdicts" || true
echo "$(count ok) passed, $(count 'not ok') failed"
[ "$(count 'not ok')" = 0 ]
