adit_test(control ini)
adit_test(control examples)
adit_test(control commands)
adit_test(control process)
adit_test(control network)
adit_test(control apply)
target_link_options(test_apply PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=allowedips_insert,--wrap=allowedips_sweep)
adit_test(control uapi)
adit_test(control uapi_server)
target_link_options(test_uapi_server PRIVATE -Wl,--wrap=free) # to see what is freed
adit_test(control uapi_wg)
adit_test(control show)
foreach(module apply uapi uapi_server uapi_wg show)
	target_include_directories(test_${module} PRIVATE ${CMAKE_SOURCE_DIR}/src/control) # some headers are the layer's own
endforeach()
adit_test(control cipher)
target_link_options(test_cipher PRIVATE -Wl,--wrap=crypto_aead_aes256gcm_is_available) # a machine without AES
adit_fuzz(control uapi 20000)
target_include_directories(fuzz_uapi PRIVATE ${CMAKE_SOURCE_DIR}/src/control)
