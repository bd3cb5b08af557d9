#!/bin/sh
# SPDX-License-Identifier: MIT
# Measures adit, the minimal data path and other tunnels. Writes the tables of docs/notebook/measurements.md, the plot, and
# the summary in docs/performance.md. Needs root, Debian 12 or 13, and an otherwise idle machine. Installs the missing
# packages of tests/packages.
#
#   sudo sh tests/bench/run.sh [WHAT [ROUNDS]]
#
# WHAT is all, one plan (tunnels, mixed, backends, workers), scale, routes, instructions, bars (the rates and times that
# the suites of tests/netns promise), flood (those of one suite) or quick (each for a second).
#
# The figures are saved in build-bench/*.json. With RESUME=1, an interrupted run continues.
set -eu
cd "$(dirname "$0")/../.."
. tests/lib.sh

which=${1:-all}
rounds=${2:-7}
document="--document docs/notebook/measurements.md"
figures=build-bench
resume=
[ -z "${RESUME-}" ] || resume=--resume

# plan NAME OPTION...: runs a plan of plans.py
plan() {
	name=$1
	shift
	python3 tests/bench/bench.py --adit build-bench/adit --null build-bench-null/adit --rounds "$rounds" \
		--json "$figures/$name.json" $resume "$@" "$name"
}

scale() {
	python3 tests/bench/scale.py --build build-bench --rounds "$rounds" --json "$figures/scale.json" "$@"
}

# bars [PREFIX]...: the suites that promise rates and times; tests/run.sh does not judge them
bars() {
	python3 tests/netns/run.py --adit build-bench/adit --bench "$@"
}

routes() {
	python3 tests/bench/routes.py --adit build-bench/adit
}

instructions() {
	python3 tests/bench/instructions.py --build build-bench "$@"
}

case $which in
all | tunnels | mixed | backends | workers | scale | bars | flood | routes | instructions | quick) ;;
*) die "usage: run.sh [WHAT [ROUNDS]]; the head of this file lists WHAT" ;;
esac
need_root
packages_install demo test bench
build build-bench -DCMAKE_BUILD_TYPE=Release -DADIT_TESTS=ON || die "the build failed"
build build-bench-null -DCMAKE_BUILD_TYPE=Release -DADIT_TESTS=OFF -DADIT_NULL_CIPHER=ON ||
	die "the build with the null cipher failed"

failed=
case $which in tunnels | all) plan tunnels $document --plot docs/performance.svg || failed=1 ;; esac
case $which in mixed | all) plan mixed $document || failed=1 ;; esac
case $which in backends | all) plan backends $document || failed=1 ;; esac
case $which in workers | all) plan workers $document || failed=1 ;; esac
case $which in scale | all) scale $document || failed=1 ;; esac
case $which in flood) bars flood/ || failed=1 ;; esac
case $which in bars | all) bars || failed=1 ;; esac
case $which in routes | all) routes || failed=1 ;; esac
case $which in instructions | all) instructions --record || failed=1 ;; esac
case $which in tunnels | scale | all) python3 tests/bench/summary.py || failed=1 ;; esac
case $which in quick)
	rounds=1
	resume=
	figures=build-bench/quick
	mkdir -p $figures
	{ plan tunnels --seconds 1 && plan mixed --seconds 1 && scale --seconds 1 && instructions; } || failed=1
	;;
esac
[ -z "$failed" ]
