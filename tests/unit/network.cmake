# SPDX-License-Identifier: MIT
# The unit tests of src/network.
adit_test(network process)
adit_test(network network_routes)
adit_test(network network_reload)
adit_test(network network_link)
adit_test(network network_firewall)
adit_test(network network_cleanup)
adit_test(network network_adopt)
adit_test(network network_warnings)
adit_test(network reconcile)
target_include_directories(test_reconcile PRIVATE ${CMAKE_SOURCE_DIR}/src/network) # the headers are private to the layer
