# SPDX-License-Identifier: MIT
# The unit tests of src/uapi.
adit_test(uapi uapi)
adit_test(uapi problem)
adit_test(uapi uapi_requests)
adit_test(uapi uapi_large_sets)
adit_test(uapi uapi_monitor)
adit_test(uapi uapi_clients)
target_link_options(test_uapi_clients PRIVATE -Wl,--wrap=accept4,--wrap=inotify_init1,--wrap=ev_now)
adit_test(uapi uapi_secrets)
target_link_options(test_uapi_secrets PRIVATE -Wl,--wrap=free) # searches freed memory
adit_test(uapi uapi_socket)
target_link_options(test_uapi_socket PRIVATE -Wl,--wrap=rename)
adit_test(uapi uapi_wg)
adit_test(uapi interface_lock)
# Configurations are written as sets of the control socket, so these tests of config link uapi.
adit_test(uapi peer_label)
adit_test(uapi apply_set)
target_link_options(test_apply_set PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
adit_test(uapi apply_reload)
adit_test(uapi counter_meaning)
target_link_options(test_apply_reload PRIVATE
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=allowedips_insert,--wrap=allowedips_sweep)
foreach(module uapi uapi_monitor uapi_requests uapi_large_sets uapi_clients uapi_secrets uapi_socket uapi_wg peer_label problem
		apply_set apply_reload)
	target_include_directories(test_${module} PRIVATE ${CMAKE_SOURCE_DIR}/src/uapi) # some headers are the layer's own
endforeach()
adit_fuzz(uapi uapi 20000)
target_include_directories(fuzz_uapi PRIVATE ${CMAKE_SOURCE_DIR}/src/uapi)
