# SPDX-License-Identifier: MIT
# The unit tests of src/packet.
adit_test(packet checksum)
adit_test(packet virtio)
adit_test(packet ip)
adit_test(packet segment)
adit_test(packet coalesce)
adit_test(packet coalesce_flows)

# The checksum tests again, without the AVX2 code.
add_executable(test_checksum_portable test_checksum.c ${CMAKE_SOURCE_DIR}/src/packet/checksum.c)
target_compile_definitions(test_checksum_portable PRIVATE CHECKSUM_PORTABLE)
target_link_libraries(test_checksum_portable PRIVATE packet PkgConfig::CMOCKA)
add_test(NAME checksum_portable COMMAND test_checksum_portable)
set_tests_properties(checksum_portable PROPERTIES TIMEOUT ${seconds})

adit_fuzz(packet segment 100000)
adit_fuzz(packet coalesce 10000)
adit_test(packet batch)
adit_test(packet icmp)
