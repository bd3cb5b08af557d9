# SPDX-License-Identifier: MIT
# The unit tests of src/daemon.
adit_test(daemon name_table)
adit_test(daemon hosts_file)
adit_test(daemon local_address)
adit_test(daemon resolver)
adit_test(daemon fd_store)
adit_test(daemon saved_endpoints)
adit_test(daemon watchdog)
add_test(NAME exposure COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/exposure.sh ${CMAKE_SOURCE_DIR})
set_tests_properties(exposure PROPERTIES LABELS daemon SKIP_RETURN_CODE 77)
adit_test(daemon hooks)
adit_test(daemon peer_hooks)
