# SPDX-License-Identifier: MIT
adit_test(daemon name_table)
adit_test(daemon hosts_file)
adit_test(daemon resolver)
