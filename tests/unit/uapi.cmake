# SPDX-License-Identifier: MIT
# The unit tests of src/uapi.
adit_test(uapi uapi)
adit_test(uapi uapi_server)
target_link_options(test_uapi_server PRIVATE -Wl,--wrap=free,--wrap=accept4,--wrap=inotify_init1)
adit_test(uapi uapi_socket)
adit_test(uapi uapi_wg)
# Configurations are written as sets of the control socket, so this test of config links uapi.
adit_test(uapi apply)
target_link_options(test_apply PRIVATE
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=allowedips_insert,--wrap=allowedips_sweep)
foreach(module uapi apply uapi_server uapi_socket uapi_wg)
	target_include_directories(test_${module} PRIVATE ${CMAKE_SOURCE_DIR}/src/uapi) # some headers are the layer's own
endforeach()
adit_fuzz(uapi uapi 20000)
target_include_directories(fuzz_uapi PRIVATE ${CMAKE_SOURCE_DIR}/src/uapi)
