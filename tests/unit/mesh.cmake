# SPDX-License-Identifier: MIT
# The unit tests of src/mesh.
adit_test(mesh host_list)
adit_test(mesh topology)
adit_test(mesh mesh)
target_include_directories(test_topology PRIVATE ${CMAKE_SOURCE_DIR}/src/mesh) # some headers are the layer's own
