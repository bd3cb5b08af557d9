# SPDX-License-Identifier: MIT
# The unit tests of src/config.
adit_test(config ini)
adit_test(config ini_wg)
adit_test(config ini_include)
adit_test(config ini_secret)
target_include_directories(test_ini_wg PRIVATE ${CMAKE_SOURCE_DIR}/src/config) # ini_parser.h is the layer's own
target_link_options(test_ini PRIVATE -Wl,--wrap=getservbyname_r) # the services of the test
adit_test(config save)
foreach(module ini_wg ini_include ini_secret save)
	target_link_options(test_${module} PRIVATE -Wl,--wrap=getservbyname_r)
endforeach()
adit_test(config examples)
adit_test(config cipher)
target_link_options(test_cipher PRIVATE -Wl,--wrap=crypto_aead_aes256gcm_is_available) # a machine without AES
adit_fuzz(config ini 30000)
