# SPDX-License-Identifier: MIT
# The unit tests of src/base.
adit_test(base keytext)
adit_test(base map)
adit_test(base heap)
adit_test(base log)
adit_test(base list)
adit_test(base event)
adit_test(base reason)
adit_test(base utf8)
adit_test(base spelling)
adit_test(base amount)
adit_test(base terminal)
adit_test(base token_bucket)
