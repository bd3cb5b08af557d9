# SPDX-License-Identifier: MIT
adit_test(crypto hash)
adit_test(crypto suite)
target_link_options(test_suite PRIVATE -Wl,--wrap=crypto_aead_aes256gcm_is_available) # a machine without AES
adit_test(crypto aead)
target_link_options(test_aead PRIVATE -Wl,--wrap=free) # to see what is freed
adit_test(crypto aead_trial)
target_include_directories(test_aead_trial PRIVATE ${CMAKE_SOURCE_DIR}/src/crypto)
adit_test(crypto noise)
adit_test(crypto session)
target_link_options(test_session PRIVATE -Wl,--wrap=free) # to see what is freed
adit_test(crypto replay)
adit_test(crypto cookie)
if(NOT ADIT_NULL_CIPHER)
	add_test(NAME null_cipher COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/null_cipher.sh ${CMAKE_C_COMPILER}
		${CMAKE_SOURCE_DIR} $<TARGET_FILE:adit>)
endif()
