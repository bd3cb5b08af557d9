#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows that the null cipher of the benchmarks is in no other build, and that a build which has it is not installed.
# null_cipher.sh COMPILER SOURCE-FOLDER ADIT
set -eu
compiler=$1
source=$2
adit=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect WHAT COMMAND...
expect() {
	what=$1
	shift
	"$@" >"$work/said" 2>&1 || {
		echo "not so: $what"
		cat "$work/said"
		failures=$((failures + 1))
	}
}

has_name() {
	nm "$1" | grep -q "$2"
}

lacks_name() {
	! has_name "$@"
}

refused() {
	cat >"$work/x.conf" <<-END
		[Interface]
		PrivateKey = $("$adit" genkey)
		CryptoProvider = $1
	END
	chmod 600 "$work/x.conf"
	! "$adit" check "$work/x.conf" >"$work/check" 2>&1 && grep -q "CryptoProvider: .*$1.* is not one of" "$work/check"
}

accepted() {
	! refused "$1"
}

not_installed() {
	cmake -S "$source" -B "$work/build" -DADIT_NULL_CIPHER=ON -DADIT_TESTS=OFF >/dev/null &&
		! DESTDIR=$work/root cmake --install "$work/build" 2>"$work/install" && grep -q "is not installed" "$work/install"
}

"$compiler" -std=gnu17 -D_GNU_SOURCE -DADIT_NULL_CIPHER -I "$source/include/adit" \
	-c -o "$work/null.o" "$source/src/crypto/aead_null.c"
expect "the file of the null cipher defines it" has_name "$work/null.o" aead_null
expect "the program has the names of its ciphers" has_name "$adit" aead_libsodium
expect "... and not the null cipher's" lacks_name "$adit" 'aead_null\|null_seal\|null_cipher'
expect "CryptoProvider = null is refused" refused null
expect "CryptoProvider = libsodium is not" accepted libsodium
expect "a build that has it is not installed" not_installed
exit $((failures > 0))
