# SPDX-License-Identifier: MIT
adit_test(network process)
adit_test(network network)
adit_test(network network_list)
target_include_directories(test_network_list PRIVATE ${CMAKE_SOURCE_DIR}/src/network) # some headers are the layer's own
