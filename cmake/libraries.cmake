# SPDX-License-Identifier: MIT
# The libraries that adit links. If required libraries are missing, the configuration stops with a sentence that names
# their packages; for each optional library, a line says whether it is used.
include(CheckCSourceCompiles)

find_package(PkgConfig)
if(NOT PKG_CONFIG_FOUND)
	message(FATAL_ERROR "adit needs pkg-config to find its libraries (Debian: pkg-config)")
endif()

set(missing_libraries)
set(missing_packages)

# Finds a library with pkg-config and creates the target PkgConfig::PREFIX. `module` may require a version.
function(adit_require prefix module package)
	pkg_check_modules(${prefix} QUIET IMPORTED_TARGET ${module})
	if(${prefix}_FOUND)
		message(STATUS "${${prefix}_MODULE_NAME}: ${${prefix}_VERSION}")
	else()
		set(missing_libraries ${missing_libraries} ${module} PARENT_SCOPE)
		set(missing_packages ${missing_packages} ${package} PARENT_SCOPE)
	endif()
endfunction()

# Finds a header and a library that have no pkg-config file, and creates a target if both exist.
function(adit_find target header library)
	find_path(${target}_INCLUDE ${header})
	find_library(${target}_LIBRARY ${library})
	if(${target}_INCLUDE AND ${target}_LIBRARY)
		add_library(${target} INTERFACE)
		target_include_directories(${target} INTERFACE ${${target}_INCLUDE})
		target_link_libraries(${target} INTERFACE ${${target}_LIBRARY})
	endif()
endfunction()

adit_require(SODIUM libsodium libsodium-dev)
adit_require(B2 libb2 libb2-dev)
adit_require(INIH inih libinih-dev)
adit_require(MNL libmnl libmnl-dev)
adit_require(CARES libcares>=1.16 libc-ares-dev)
adit_find(adit_ev ev.h ev)
if(NOT TARGET adit_ev)
	list(APPEND missing_libraries "libev with its header ev.h")
	list(APPEND missing_packages libev-dev)
endif()
if(missing_libraries)
	list(JOIN missing_libraries ", " libraries)
	list(JOIN missing_packages " " packages)
	message(FATAL_ERROR "adit needs libraries that are missing: ${libraries} (Debian: apt-get install ${packages})")
endif()

# src/config/ini.c sets these. A Debian patch adds them; upstream's inih is configured when it is compiled.
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::INIH)
check_c_source_compiles("
#include <ini.h>

int main(void)
{
	ini_use_stack = ini_allow_realloc = ini_allow_multiline = ini_allow_inline_comments = 0;
	ini_allow_no_value = ini_stop_on_first_error = 0;
	ini_initial_alloc = ini_max_line = 1;
	ini_start_comment_prefixes = \"#\";
	return 0;
}" ADIT_INIH_SETTINGS)
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT ADIT_INIH_SETTINGS)
	unset(ADIT_INIH_SETTINGS CACHE) # another inih may be there next time
	message(FATAL_ERROR "this inih cannot be configured at run time (ini_use_stack and other variables are missing). "
		"adit needs inih as Debian patches it (libinih-dev)")
endif()

if(ADIT_IO_URING)
	pkg_check_modules(URING QUIET liburing)
	adit_find(adit_uring liburing.h uring)
endif()
if(TARGET adit_uring)
	message(STATUS "io_uring: yes (liburing ${URING_VERSION})")
elseif(ADIT_IO_URING)
	message(STATUS "io_uring: no, liburing is missing (Debian: liburing-dev)")
else()
	message(STATUS "io_uring: no, ADIT_IO_URING is off")
endif()

if(ADIT_QRENCODE)
	pkg_check_modules(QRENCODE QUIET IMPORTED_TARGET libqrencode)
endif()
if(TARGET PkgConfig::QRENCODE)
	message(STATUS "QR codes: yes (libqrencode ${QRENCODE_VERSION})")
elseif(ADIT_QRENCODE)
	message(STATUS "QR codes: no, libqrencode is missing (Debian: libqrencode-dev)")
else()
	message(STATUS "QR codes: no, ADIT_QRENCODE is off")
endif()

if(ADIT_NCURSES)
	pkg_check_modules(NCURSES QUIET IMPORTED_TARGET ncursesw)
endif()
if(TARGET PkgConfig::NCURSES)
	message(STATUS "adit top: yes (ncursesw ${NCURSES_VERSION})")
elseif(ADIT_NCURSES)
	message(STATUS "adit top: no, ncursesw is missing (Debian: libncurses-dev)")
else()
	message(STATUS "adit top: no, ADIT_NCURSES is off")
endif()

if(ADIT_IPSEC_MB)
	adit_find(adit_ipsec_mb intel-ipsec-mb.h IPSec_MB)
endif()
if(TARGET adit_ipsec_mb)
	file(STRINGS ${adit_ipsec_mb_INCLUDE}/intel-ipsec-mb.h version REGEX "define IMB_VERSION_STR")
	string(REGEX REPLACE ".*\"(.*)\".*" "\\1" version "${version}")
	message(STATUS "IPsec-MB: yes (${version})")
elseif(ADIT_IPSEC_MB)
	message(STATUS "IPsec-MB: no, it is missing (Debian: libipsec-mb-dev, amd64 only); libsodium does the ciphers")
else()
	message(STATUS "IPsec-MB: no, ADIT_IPSEC_MB is off; libsodium does the ciphers")
endif()
