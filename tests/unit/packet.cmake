adit_test(packet checksum)
adit_test(packet virtio)
adit_test(packet ip)
adit_test(packet segment)
adit_test(packet coalesce)
adit_test(packet coalesce_flows)

# The checksum once more, built as for a machine without AVX2.
add_executable(test_checksum_portable test_checksum.c ${CMAKE_SOURCE_DIR}/src/packet/checksum.c)
target_compile_definitions(test_checksum_portable PRIVATE CHECKSUM_PORTABLE)
target_link_libraries(test_checksum_portable PRIVATE packet PkgConfig::CMOCKA)
add_test(NAME checksum_portable COMMAND test_checksum_portable)
set_tests_properties(checksum_portable PROPERTIES TIMEOUT 120)

# A fuzz target run over random inputs, the same ones each time: worth most in a build with sanitizers.
function(adit_fuzz layer module rounds)
	add_executable(fuzz_${module} ../fuzz/fuzz_${module}.c ../fuzz/random_main.c)
	target_link_libraries(fuzz_${module} PRIVATE ${layer})
	target_include_directories(fuzz_${module} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
	add_test(NAME fuzz_${module} COMMAND fuzz_${module} ${rounds})
	set_tests_properties(fuzz_${module} PROPERTIES TIMEOUT 120)
endfunction()
adit_fuzz(packet segment 100000)
adit_fuzz(packet coalesce 10000)
