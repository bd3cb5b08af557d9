#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the static checkers over src and include, one verdict per checker: the preset dev, because gcc has other warnings
# with little optimization; a build by clang with all warnings; clang-tidy (.clang-tidy lists the checks, and the reason
# for each that is left out); cppcheck; and the analyzer of gcc. A finding is a failure: the code changes, or the
# configuration gets an argued exception. Sources that have not changed since the last pass are not checked again.
#
#   sh tests/analyze.sh
set -u
cd "$(dirname "$0")/.."
. tests/lib.sh

passed=build-clang/passed # as old as the beginning of the last pass
if [ -e $passed ] && [ -z "$(find .clang-tidy CMakeLists.txt CMakePresets.json cmake include src tests/analyze.sh \
	tests/bench tests/fuzz tests/unit -type f ! -name '*.pyc' -newer $passed -print -quit)" ]; then
	echo "ok analyze: no change since the last pass"
	exit 0
fi

packages_install demo test
failed=0

# verdict NAME FILE: "ok" when FILE is empty, else its lines and "not ok"
verdict() {
	if [ -s "$2" ]; then
		sort -u "$2" | head -n 40
		echo "not ok analyze: $1 ($(sort -u "$2" | wc -l) findings)"
		failed=1
	else
		echo "ok analyze: $1"
	fi
}

findings=$(mktemp)
output=$(mktemp)
begin=$(mktemp)
trap 'rm -f "$findings" "$output" "$begin"' EXIT

if build build-dev --preset dev; then
	echo "ok analyze: build of the preset dev"
else
	echo "not ok analyze: build of the preset dev"
	failed=1
fi

if build build-clang -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release -DADIT_WERROR=ON; then
	echo "ok analyze: build by clang"
	run-clang-tidy -quiet -p build-clang -j "$(nproc)" "$(pwd)/src/" >"$output" 2>/dev/null ||
		echo "run-clang-tidy: error: exit code $?" >>"$output"
	sed 's/\x1b\[[0-9;]*m//g' "$output" | grep -E '^(/|run-).*(warning|error): ' >"$findings"
	verdict clang-tidy "$findings"
else
	echo "not ok analyze: build by clang"
	failed=1
fi

# "warning" and "portability" are about faults; "style" is what .clang-format and reviews decide. Suppressed:
#   normalCheckLevelMaxBranches  is no finding: it says how many branches cppcheck follows
#   constStatement               cppcheck 2.10 takes the association list of _Generic in log_at for a comma operator; the
#                                compilers report statements without an effect, too
cppcheck --quiet --enable=warning,performance,portability --std=c17 -D_GNU_SOURCE -DADIT_IO_URING -DADIT_IPSEC_MB -DADIT_QRENCODE -DADIT_NCURSES \
	-D__linux__ -I include/adit -j "$(nproc)" --suppress=normalCheckLevelMaxBranches --suppress=constStatement \
	--template='{file}:{line}: {id}: {message}' src 2>"$findings" >&2
verdict cppcheck "$findings"

# Without optimization the analyzer follows paths as they are written. It reports a file only while it compiles it, so the
# folder is new. Some of its warnings are off:
#   malloc-leak           an object that is reachable only by the list node inside it counts as lost; the sanitizer's tests
#                         find real leaks
#   shift-count-overflow  gcc 12 compares the count with the number of lanes of a vector, not with their width
#   fd-use-after-close, fd-double-close
#                         gcc 14 takes the descriptors of two calls of one function for the same descriptor
#   fd-leak               a process keeps some descriptors until it ends: 0 to 2, the pipe of `adit up`, the ends for ssh
#   free-of-non-heap      gcc 14 takes the head of a list for one of its nodes
rm -rf build-analyzer
if build build-analyzer -DCMAKE_BUILD_TYPE=Debug -DADIT_TESTS=OFF \
	-DCMAKE_C_FLAGS="-fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-shift-count-overflow \
-Wno-analyzer-fd-use-after-close -Wno-analyzer-fd-double-close -Wno-analyzer-fd-leak \
-Wno-analyzer-free-of-non-heap"; then
	grep 'Wanalyzer' build-analyzer/build.log >"$findings"
	verdict "gcc -fanalyzer" "$findings"
else
	echo "not ok analyze: build for gcc -fanalyzer"
	failed=1
fi
[ $failed = 1 ] || touch -r "$begin" $passed
exit $failed
