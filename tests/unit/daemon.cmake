# SPDX-License-Identifier: MIT
adit_test(daemon endpoint_names)
target_link_options(test_endpoint_names PRIVATE -Wl,--wrap=getaddrinfo,--wrap=freeaddrinfo)
