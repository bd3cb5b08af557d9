# SPDX-License-Identifier: MIT
# Options that depend on the generator of the package.
if(CPACK_GENERATOR STREQUAL RPM)
	set(CPACK_STRIP_FILES ON) # for DEB, cpack moves the symbols to a package of their own
endif()
