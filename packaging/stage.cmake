# SPDX-License-Identifier: MIT
# cpack runs this script when the files of a package are in a folder of their own. Adds what only packages contain, where
# the policy of the distribution wants it.
cmake_minimum_required(VERSION 3.25)
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY})
set(source ${CPACK_ADIT_SOURCE_DIR})
set(share ${root}/usr/share)

# Runs gzip without a name and a time, so that two builds are the same.
function(compress)
	execute_process(COMMAND gzip -9nf ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# The folder of the configurations, which contain keys.
file(MAKE_DIRECTORY ${root}/etc/adit)
file(CHMOD ${root}/etc/adit DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)

file(GLOB pages ${share}/man/man*/*.[0-9])
compress(${pages})
file(GLOB zsh ${share}/zsh/*) # its name is that on the host
if(CPACK_GENERATOR STREQUAL DEB)
	set(doc ${share}/doc/adit)
	file(RENAME ${zsh} ${share}/zsh/vendor-completions)

	file(READ ${source}/LICENSE license)
	string(REGEX REPLACE "^MIT License\n\nCopyright \\(c\\) ([^\n]*)\n\n" "" license "${license}")
	set(holder ${CMAKE_MATCH_1})
	string(REGEX REPLACE "\n\n" "\n.\n" license "${license}")
	string(REGEX REPLACE "\n(.)" "\n \\1" license "${license}")
	file(WRITE ${doc}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
		"Upstream-Name: adit\n\nFiles: *\nCopyright: ${holder}\nLicense: Expat\n ${license}")
	configure_file(${source}/CHANGELOG.md ${doc}/changelog COPYONLY)
	string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
	file(WRITE ${doc}/changelog.Debian
		"adit (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
		"  * New package. /usr/share/doc/adit/changelog.gz lists the changes of adit.\n\n"
		" -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}\n")
	compress(${doc}/changelog ${doc}/changelog.Debian)
	file(MAKE_DIRECTORY ${share}/lintian/overrides)
	configure_file(${source}/packaging/deb/lintian-overrides ${share}/lintian/overrides/adit COPYONLY)
else()
	file(RENAME ${zsh} ${share}/zsh/site-functions)
	configure_file(${source}/LICENSE ${share}/licenses/adit/LICENSE COPYONLY)
	configure_file(${source}/CHANGELOG.md ${share}/doc/adit/CHANGELOG.md COPYONLY)
endif()
configure_file(${source}/README.md ${share}/doc/adit/README.md COPYONLY)
