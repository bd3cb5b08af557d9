# SPDX-License-Identifier: MIT
adit_test(network process)
adit_test(network network)
adit_test(network network_list)
