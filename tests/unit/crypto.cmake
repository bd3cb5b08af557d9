# SPDX-License-Identifier: MIT
# The unit tests of src/crypto.
adit_test(crypto hash)
adit_test(crypto suite)
target_link_options(test_suite PRIVATE -Wl,--wrap=crypto_aead_aes256gcm_is_available) # simulates a machine without AES
adit_test(crypto aead)
target_link_options(test_aead PRIVATE -Wl,--wrap=free) # observes freed memory
adit_test(crypto aead_trial)
target_include_directories(test_aead_trial PRIVATE ${CMAKE_SOURCE_DIR}/src/crypto)
adit_test(crypto noise)
adit_test(crypto session)
target_link_options(test_session PRIVATE -Wl,--wrap=free) # observes freed memory
adit_test(crypto replay)
adit_test(crypto cookie)
if(NOT ADIT_NULL_CIPHER)
	# The test configures a build of its own, with this build's compiler.
	set(options -G ${CMAKE_GENERATOR} -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER} -DCMAKE_C_FLAGS=${CMAKE_C_FLAGS})
	foreach(name CMAKE_TOOLCHAIN_FILE CMAKE_PREFIX_PATH CMAKE_SYSROOT CMAKE_MAKE_PROGRAM PKG_CONFIG_EXECUTABLE)
		if(${name})
			list(JOIN ${name} "$<SEMICOLON>" value)
			list(APPEND options -D${name}=${value})
		endif()
	endforeach()
	add_test(NAME null_cipher COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/null_cipher.sh ${CMAKE_SOURCE_DIR}
		$<TARGET_FILE:adit> ${CMAKE_NM} ${CMAKE_COMMAND} ${options})
	list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " emulator)
	if(emulator)
		set_tests_properties(null_cipher PROPERTIES ENVIRONMENT "EMULATOR=${emulator}")
	endif()
endif()
