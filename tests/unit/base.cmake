# SPDX-License-Identifier: MIT
adit_test(base keytext)
adit_test(base map)
adit_test(base heap)
adit_test(base log)
