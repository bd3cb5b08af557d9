#!/bin/sh
# Shows that a wrong include does not compile: tries every pair of layers with the flags that the build really uses.
# layers.sh COMPILER BUILD-FOLDER
set -eu
compiler=$1
commands=$2/compile_commands.json
failures=0

# The layers that a layer may include, itself among them.
sees() {
	case $1 in
	base) echo base ;;
	packet | crypto | io) echo "base $1" ;;
	tunnel) echo "base packet crypto io tunnel" ;;
	control) echo "base packet crypto io tunnel control" ;;
	esac
}

# A header of the layer that itself includes nothing of another.
sample() {
	case $1 in
	base) echo bytes.h ;;
	packet) echo virtio.h ;;
	crypto) echo replay.h ;;
	io) echo tun.h ;;
	tunnel) echo counters.h ;;
	control) echo notify.h ;;
	esac
}

for layer in base packet crypto io tunnel control; do
	flags=$(grep -m1 "\"command\".*/src/$layer/[a-z0-9_]*\.c" "$commands" | tr ' ' '\n' | grep '^-I')
	for other in base packet crypto io tunnel control; do
		expected=refused
		case " $(sees $layer) " in *" $other "*) expected=taken ;; esac
		result=taken
		echo "#include \"$(sample $other)\"" |
			"$compiler" -std=gnu17 -D_GNU_SOURCE $flags -fsyntax-only -x c - 2>/dev/null || result=refused
		if [ $result != $expected ]; then
			echo "$layer includes $(sample $other) of $other: $result, should be $expected"
			failures=$((failures + 1))
		fi
	done
done
exit $((failures > 0))
