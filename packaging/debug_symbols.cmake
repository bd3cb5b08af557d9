# SPDX-License-Identifier: MIT
# cpack runs this script when the packages are written. Mends the package with the debug symbols, whose list of checksums
# contains paths of the build folder, and whose documentation is missing.
cmake_minimum_required(VERSION 3.25)
list(FILTER CPACK_PACKAGE_FILES INCLUDE REGEX "\\.ddeb$")
foreach(package ${CPACK_PACKAGE_FILES})
	set(root ${CPACK_TEMPORARY_DIRECTORY}/debug-symbols)
	file(REMOVE_RECURSE ${root})
	execute_process(COMMAND dpkg-deb --raw-extract ${package} ${root} COMMAND_ERROR_IS_FATAL ANY)
	file(READ ${root}/DEBIAN/md5sums sums)
	string(REGEX REPLACE "/[^\n]*/(usr/lib/debug/)" "\\1" sums "${sums}")
	file(WRITE ${root}/DEBIAN/md5sums "${sums}")
	file(READ ${root}/DEBIAN/control control)
	string(REGEX REPLACE "\nDepends:[^\n]*" "" control "${control}")
	set(version "${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
	string(REPLACE "\nPackage:" "\nDepends: adit (= ${version})\nPackage:" control "${control}")
	file(WRITE ${root}/DEBIAN/control "${control}")
	file(GLOB_RECURSE symbols ${root}/usr/*.debug)
	file(CHMOD ${symbols} FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
	file(MAKE_DIRECTORY ${root}/usr/share/doc)
	file(CREATE_LINK adit ${root}/usr/share/doc/adit-dbgsym SYMBOLIC)
	execute_process(COMMAND dpkg-deb --root-owner-group --build ${root} ${package} OUTPUT_QUIET
		COMMAND_ERROR_IS_FATAL ANY)
endforeach()
