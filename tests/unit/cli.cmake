# SPDX-License-Identifier: MIT
# The unit tests of src/cli.
adit_test(cli commands)
adit_test(cli words)
adit_test(cli complete)
adit_test(cli show)
target_include_directories(test_show PRIVATE ${CMAKE_SOURCE_DIR}/src/cli ${CMAKE_SOURCE_DIR}/src/uapi) # some headers are the layer's own
adit_test(cli show_read)
target_include_directories(test_show_read PRIVATE ${CMAKE_SOURCE_DIR}/src/cli ${CMAKE_SOURCE_DIR}/src/uapi)
adit_test(cli metrics_text)
target_include_directories(test_metrics_text PRIVATE ${CMAKE_SOURCE_DIR}/src/cli ${CMAKE_SOURCE_DIR}/src/uapi)
adit_test(cli metrics_http)
adit_test(cli address_pool)
adit_test(cli peer_files)
foreach(module metrics_http address_pool peer_files)
	target_include_directories(test_${module} PRIVATE ${CMAKE_SOURCE_DIR}/src/cli)
endforeach()
add_test(NAME command_line
	COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/command_line.py ${CMAKE_SOURCE_DIR} $<TARGET_FILE:adit>)
foreach(script show_formats screens)
	add_test(NAME ${script}
		COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/${script}.py ${CMAKE_SOURCE_DIR} $<TARGET_FILE:adit>)
endforeach()
set_tests_properties(command_line show_formats screens PROPERTIES TIMEOUT 300 LABELS cli SKIP_RETURN_CODE 77)
if(CMAKE_CROSSCOMPILING_EMULATOR)
	list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " emulator)
	set_tests_properties(command_line show_formats screens PROPERTIES ENVIRONMENT "EMULATOR=${emulator}")
endif()
