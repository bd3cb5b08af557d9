# SPDX-License-Identifier: MIT
# The unit tests of src/doctor. They include its headers, which are private to the layer.
foreach(module doctor_host doctor_managers doctor_tunnel doctor_report)
	adit_test(doctor ${module})
	target_include_directories(test_${module} PRIVATE ${CMAKE_SOURCE_DIR}/src/doctor)
endforeach()
