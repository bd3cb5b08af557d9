#!/bin/sh
# Measures adit beside the bare data path and other tunnels, and writes the tables of docs/performance.md. Needs root and
# Debian 12; installs what is missing of tests/packages. Nothing else should be running.
#
#   sudo sh tests/bench/run.sh [libsodium | ipsec-mb | all] [ROUNDS]
set -eu
cd "$(dirname "$0")/../.."
. tests/lib.sh

which=${1:-all}
rounds=${2:-7}
adit=build-bench/adit

bench() {
	name=$1
	shift
	python3 tests/bench/bench.py --rounds "$rounds" --table docs/performance.md --name "$name" "$@"
}

need_root
packages_install demo test bench
build build-bench -DCMAKE_BUILD_TYPE=Release -DADIT_TESTS=OFF || die "the build failed"

case $which in libsodium | all)
	bench libsodium relay:sodium512 adit:$adit:Aead=libsodium@1 relay:sodium512@1 \
		wireguard-go:/usr/bin/wireguard-go nebula:/usr/bin/nebula
	;;
esac
case $which in ipsec-mb | all)
	bench ipsec-mb relay:ipsec-chacha adit:$adit@1 relay:ipsec-chacha@1 \
		relay:ipsec-aes adit:$adit:Cipher=aes256gcm@4 nebula:/usr/bin/nebula@5
	;;
esac
