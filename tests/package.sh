#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes packages and checks them.
#
#   sh tests/package.sh quick FOLDER   makes the DEB from a build in FOLDER, runs lintian, checks content and dependencies
#   sh tests/package.sh FOLDER         in addition makes the RPM, and installs, upgrades, removes and purges the DEB in a
#                                      fresh Debian of the release of the host, and the RPM in an empty folder
#
# Prints one verdict per check. The exit code is 1 if a check failed. The full form needs root.
set -eu
cd "$(dirname "$0")/.."
. tests/lib.sh

quick=
if [ "${1-}" = quick ]; then
	quick=quick
	shift
fi
[ $# = 1 ] && [ -d "$1" ] || die "usage: package.sh [quick] FOLDER; the folder has a build of adit"
build=$(realpath "$1")
packages_install demo test
if [ -z "$quick" ]; then
	need_root
	packages_install long
	# The mounts of this script disappear with its namespace.
	[ -n "${ADIT_PACKAGE_NAMESPACE-}" ] ||
		exec env ADIT_PACKAGE_NAMESPACE=1 unshare --mount --propagation private sh "$0" "$build"
fi
work=$(mktemp -d)
failed=0
trap clean_up EXIT

clean_up() {
	debian_umount "$work/debian"
	rm -rf --one-file-system "$work"
}

# expect STATEMENT COMMAND...: one verdict; the output of a command that fails is printed
expect() {
	statement=$1
	shift
	if "$@" >"$work/output" 2>&1; then
		echo "ok package: $statement"
	else
		sed 's/^/    | /' "$work/output" | tail -n 30
		echo "not ok package: $statement"
		failed=1
	fi
}

# make_package GENERATOR OPTION...: cpack writes the package to $work
make_package() {
	generator=$1
	shift
	(cd "$build" && cpack -G "$generator" -B "$work" "$@")
}

# contains FILE PATH...: the list of files contains each path
contains() {
	list=$1
	shift
	for path; do
		grep -qx "$path" "$list" || { echo "missing: $path" && return 1; }
	done
}

field() {
	dpkg-deb --field "$deb" "$1"
}

depends_on_its_libraries() {
	dpkg-deb --extract "$deb" "$work/root"
	for library in $(readelf -d "$work/root/usr/bin/adit" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'); do
		path=$(ldd "$work/root/usr/bin/adit" | sed -n "s|^[[:space:]]*$library => \([^ ]*\) .*|\1|p")
		[ -n "$path" ] || continue # the dynamic linker
		package=$({ dpkg-query -S "$(realpath "$path")" || dpkg-query -S "/usr$(realpath "$path")" ||
			dpkg-query -S "$(realpath "$path" | sed 's|^/usr||')"; } 2>/dev/null | sed 's/:.*//;q')
		field Depends | tr , '\n' | sed 's/^ *//; s/[ |].*//' | grep -qx "$package" ||
			{ echo "$library: no dependency on $package" && return 1; }
	done
}

has_no_error() {
	lintian --fail-on error,warning --allow-root "$work"/*.deb "$work"/*.ddeb
}

is_hardened() {
	readelf -W --headers --dynamic --dyn-syms "$work/root/usr/bin/adit" >"$work/elf"
	for sign in 'Type:.*DYN' GNU_RELRO BIND_NOW 'GNU_STACK.* RW  ' __stack_chk_fail '[a-z]_chk@'; do
		grep -q "$sign" "$work/elf" || { echo "missing: $sign" && return 1; }
	done
}

check_deb() {
	expect "cpack makes a DEB and its debug symbols" make_package DEB
	deb=$(echo "$work"/adit_*.deb)
	[ -e "$deb" ] || exit 1
	dpkg-deb --contents "$deb" | sed 's/.* \.//; s/ -> .*//' >"$work/deb.list"
	expect "the DEB contains program, unit, manuals, completion and documents" contains "$work/deb.list" /etc/adit/ \
		/usr/bin/adit /usr/lib/systemd/system/adit@.service /usr/lib/systemd/system/adit-sweep@.service \
		/usr/lib/systemd/system/adit.target \
		/usr/lib/sysusers.d/adit.conf /usr/lib/tmpfiles.d/adit.conf /usr/share/man/man5/adit.conf.5.gz \
		/usr/share/man/man8/adit.8.gz /usr/share/bash-completion/completions/adit \
		/usr/share/zsh/vendor-completions/_adit /usr/share/fish/vendor_completions.d/adit.fish \
		/usr/share/doc/adit/copyright /usr/share/doc/adit/changelog.gz /usr/share/doc/adit/changelog.Debian.gz
	expect "the DEB depends on the packages of its libraries" depends_on_its_libraries
	expect "the program in the DEB is hardened" is_hardened
	expect "the program in the DEB prints its version" "$work/root/usr/bin/adit" --version
	expect "only root may enter /etc/adit" test "$(stat -c %a "$work/root/etc/adit")" = 700
	expect "lintian finds no error and no warning" has_no_error
}

# prepare_root: mounts a fresh Debian on $root, with the packages in /root
prepare_root() {
	root=$work/debian
	base=$(debian_base package "$(suite_of_host)" "") && debian_mount "$base" "$root" && cp "$work"/*.deb "$root/root/" &&
		in_root apt-get update
}

in_root() {
	debian_run "$root" "$@"
}

# pretend_systemd: from here on, the maintainer scripts see a running systemd
pretend_systemd() {
	mkdir -p "$root/run/systemd/system"
	printf '#!/bin/sh\necho "$*" >>/root/calls\n' >"$root/usr/bin/systemctl"
	chmod 755 "$root/usr/bin/systemctl"
	: >"$root/root/calls"
}

called() {
	cat "$root/root/calls"
	grep -q "$1" "$root/root/calls"
}

not_called() {
	cat "$root/root/calls"
	! grep -q "$1" "$root/root/calls"
}

# install_deb RELEASE
install_deb() {
	in_root apt-get install -y --no-install-recommends "/root/$(cd "$work" && echo adit_*-"$1"_*.deb)"
}

adit_is_gone() {
	! [ -e "$root/usr/bin/adit" ] && ! [ -e "$root/usr/lib/systemd/system/adit@.service" ] &&
		! in_root dpkg-query -L adit
}

check_life() {
	expect "cpack makes a second DEB" make_package DEB -D CPACK_DEBIAN_PACKAGE_RELEASE=2
	expect "a fresh Debian is ready" prepare_root
	expect "apt-get installs the DEB without systemd" install_deb 1
	expect "the installed program runs" in_root adit --version
	expect "dpkg finds the files as they were packed" in_root dpkg --verify adit
	# As "systemctl enable adit@site" does.
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -s /usr/lib/systemd/system/adit@.service "$root/etc/systemd/system/multi-user.target.wants/adit@site.service"
	cp conf/site-to-site/left.conf "$root/etc/adit/site.conf"
	pretend_systemd
	expect "apt-get upgrades it" install_deb 2
	expect "the upgrade restarts the tunnels that run" called '^try-restart adit@\*.service$'
	expect "the upgrade reloads systemd" called daemon-reload
	expect "the upgrade does not stop a tunnel" not_called '^stop '
	: >"$root/root/calls"
	expect "the postinst may run again" in_root dpkg-reconfigure adit
	expect "apt-get removes it" in_root apt-get remove -y adit
	expect "the removal stops the tunnels" called '^stop adit@\*.service '
	expect "the removal keeps the configuration" test -s "$root/etc/adit/site.conf"
	expect "apt-get purges it" in_root apt-get purge -y adit
	expect "the purge keeps the keys" test -s "$root/etc/adit/site.conf"
	expect "the purge removes the link of the enabled unit" \
		test ! -L "$root/etc/systemd/system/multi-user.target.wants/adit@site.service"
	expect "the package is gone" adit_is_gone
	rm "$root/etc/adit/site.conf"
	expect "it can be installed again" install_deb 2
	expect "and purged" in_root apt-get purge -y adit
	expect "a purge without files in it removes /etc/adit" test ! -e "$root/etc/adit"
}

install_rpm() {
	mkdir "$work/rpm-root"
	rpm --root "$work/rpm-root" --install --nodeps --noscripts "$rpm"
	rpm --root "$work/rpm-root" --verify --nodeps adit
	(cd "$work/rpm-root" && find . -path ./var -prune -o -print | sed 's/^\.//') >"$work/rpm.list"
}

check_rpm() {
	expect "cpack makes an RPM" make_package RPM
	rpm=$(echo "$work"/adit-*.rpm)
	[ -e "$rpm" ] || return 0
	expect "rpm installs it in an empty folder" install_rpm
	expect "the files are where Fedora has them" contains "$work/rpm.list" /etc/adit /usr/bin/adit \
		/usr/lib/systemd/system/adit@.service /usr/lib/systemd/system/adit.target /usr/lib/sysusers.d/adit.conf \
		/usr/lib/tmpfiles.d/adit.conf /usr/share/man/man5/adit.conf.5.gz /usr/share/man/man8/adit.8.gz \
		/usr/share/bash-completion/completions/adit /usr/share/zsh/site-functions/_adit \
		/usr/share/fish/vendor_completions.d/adit.fish /usr/share/licenses/adit/LICENSE
	expect "program and unit are those of the DEB" cmp "$work/rpm-root/usr/lib/systemd/system/adit@.service" \
		"$work/root/usr/lib/systemd/system/adit@.service"
	expect "the license tag is MIT" test "$(rpm -qp --queryformat '%{LICENSE}' "$rpm" 2>/dev/null)" = MIT
	expect "rpmlint finds no error and no warning" rpmlint --strict --config packaging/rpm/rpmlint.toml "$rpm"
}

check_deb
if [ -z "$quick" ]; then
	check_life
	check_rpm
fi
exit $failed
