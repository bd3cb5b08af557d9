# SPDX-License-Identifier: MIT
# The unit tests of src/daemon.
adit_test(daemon name_table)
adit_test(daemon hosts_file)
adit_test(daemon resolver)
adit_test(daemon fd_store)
adit_test(daemon saved_endpoints)
adit_test(daemon watchdog)
