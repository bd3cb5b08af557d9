# SPDX-License-Identifier: MIT
# The unit tests of src/mesh.
adit_test(mesh host_list)
adit_test(mesh topology)
adit_test(mesh mesh)
adit_test(mesh mesh_status)
target_include_directories(test_topology PRIVATE ${CMAKE_SOURCE_DIR}/src/mesh) # some headers are the layer's own
target_include_directories(test_mesh_status PRIVATE ${CMAKE_SOURCE_DIR}/src/mesh)
adit_fuzz(mesh mesh 6000)
adit_fuzz(mesh status 50000)
target_include_directories(fuzz_mesh PRIVATE ${CMAKE_SOURCE_DIR}/src/mesh)
target_include_directories(fuzz_status PRIVATE ${CMAKE_SOURCE_DIR}/src/mesh)
