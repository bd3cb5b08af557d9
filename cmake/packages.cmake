# SPDX-License-Identifier: MIT
# Packages: `cpack -G DEB` and `cpack -G RPM` in the build folder. packaging/ has their scripts.
set(ADIT_PACKAGE_RELEASE 1 CACHE STRING "Release of the package; a second package of one version needs a higher one")
set(ADIT_PACKAGE_MAINTAINER "The adit authors <adit@maintainers.invalid>" CACHE STRING
	"NAME <ADDRESS> of whoever builds the package")

set(CPACK_PACKAGE_NAME adit)
set(CPACK_PACKAGE_VENDOR "The adit authors")
set(CPACK_PACKAGE_CONTACT ${ADIT_PACKAGE_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "encrypted overlay daemon, compatible with WireGuard")
set(CPACK_PACKAGE_DESCRIPTION "adit connects hosts and networks over encrypted tunnels. It opens a TUN
device, encrypts the packets that the kernel routes to it, and sends them to
its peers over UDP. A peer may run any implementation of WireGuard.

adit needs no kernel module. It reads the files of wg-quick(8), and restores
the addresses, routes and rules of a tunnel if another program removes them.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/packaging/generator.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/packaging/stage.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/packaging/debug_symbols.cmake)
set(CPACK_ADIT_SOURCE_DIR ${CMAKE_SOURCE_DIR})

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${ADIT_PACKAGE_RELEASE})
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${ADIT_PACKAGE_MAINTAINER})
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# nft for a tunnel that takes all traffic, resolvectl or resolvconf for DNS, and the tools to look at a tunnel.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS nftables)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "iproute2, systemd-resolved | resolvconf, wireguard-tools")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/deb/postinst
	${CMAKE_SOURCE_DIR}/packaging/deb/prerm ${CMAKE_SOURCE_DIR}/packaging/deb/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEBUGINFO_PACKAGE ON) # strips the program, too

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_RELEASE ${ADIT_PACKAGE_RELEASE})
set(CPACK_RPM_PACKAGE_LICENSE MIT)
set(CPACK_RPM_PACKAGE_SUMMARY "Encrypted overlay daemon, compatible with WireGuard")
set(CPACK_RPM_PACKAGE_DESCRIPTION ${CPACK_PACKAGE_DESCRIPTION})
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_SPEC_MORE_DEFINE "%global packager ${ADIT_PACKAGE_MAINTAINER}")
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${CMAKE_SOURCE_DIR}/packaging/rpm/post.sh)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${CMAKE_SOURCE_DIR}/packaging/rpm/preun.sh)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${CMAKE_SOURCE_DIR}/packaging/rpm/postun.sh)
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /usr/share/man /usr/share/man/man5 /usr/share/man/man8 /usr/lib/systemd
	/usr/lib/systemd/system /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/share/bash-completion
	/usr/share/bash-completion/completions /usr/share/zsh /usr/share/zsh/site-functions /usr/share/fish
	/usr/share/fish/vendor_completions.d /usr/share/licenses)

include(CPack)
