#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks that only builds for benchmarks (ADIT_NULL_CIPHER) contain the null cipher, and that these cannot be installed.
# null_cipher.sh SOURCE-FOLDER ADIT NM CMAKE CMAKE-OPTION...
# The options select the compiler of the build that runs this test. EMULATOR, if set, is the command that runs ADIT.
set -eu
source=$1
adit=$2
nm=$3
cmake=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# expect STATEMENT COMMAND...
expect() {
	statement=$1
	shift
	"$@" >"$work/output" 2>&1 || {
		echo "false: $statement"
		cat "$work/output"
		failures=$((failures + 1))
	}
}

has_name() {
	"$nm" "$1" | grep -q "$2"
}

lacks_name() {
	! has_name "$@"
}

# Succeeds if `adit check` rejects the provider $1.
rejected() {
	cat >"$work/x.conf" <<-END
		[Interface]
		PrivateKey = $(${EMULATOR-} "$adit" genkey)
		CryptoProvider = $1
	END
	chmod 600 "$work/x.conf"
	! ${EMULATOR-} "$adit" check "$work/x.conf" >"$work/check" 2>&1 && grep -q "CryptoProvider: .*$1.* is not one of" "$work/check"
}

accepted() {
	! rejected "$1"
}

configure() {
	"$cmake" -S "$source" -B "$work/build" -DADIT_NULL_CIPHER=ON -DADIT_TESTS=OFF -DCMAKE_BUILD_TYPE=Debug "$@"
}

not_installed() {
	! DESTDIR="$work/root" "$cmake" --install "$work/build" 2>"$work/install" &&
		grep -q "is not installed" "$work/install"
}

expect "a build for benchmarks can be configured" configure "$@"
expect "its library crypto can be built" "$cmake" --build "$work/build" --target crypto
expect "the library contains the null cipher" has_name "$work/build/libcrypto.a" aead_null
expect "a build for benchmarks cannot be installed" not_installed
expect "adit contains libsodium's ciphers" has_name "$adit" aead_libsodium
expect "adit does not contain the null cipher" lacks_name "$adit" 'aead_null\|null_seal\|null_cipher'
expect "adit rejects the provider null" rejected null
expect "adit accepts the provider libsodium" accepted libsodium
exit $((failures > 0))
