# SPDX-License-Identifier: MIT
# The unit tests of src/cli.
adit_test(cli commands)
adit_test(cli words)
adit_test(cli show)
target_include_directories(test_show PRIVATE ${CMAKE_SOURCE_DIR}/src/cli ${CMAKE_SOURCE_DIR}/src/uapi) # some headers are the layer's own
adit_test(cli address_pool)
adit_test(cli peer_files)
foreach(module address_pool peer_files)
	target_include_directories(test_${module} PRIVATE ${CMAKE_SOURCE_DIR}/src/cli)
endforeach()
