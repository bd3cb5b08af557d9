# SPDX-License-Identifier: MIT
# The unit tests of src/tunnel.
adit_test(tunnel counters)
target_compile_definitions(test_counters PRIVATE SOURCE_FOLDER="${CMAKE_SOURCE_DIR}")
adit_test(tunnel allowedips)
adit_test(tunnel staged)
adit_test(tunnel padding)
adit_test(tunnel timers)
adit_test(tunnel peer_state)
adit_test(tunnel peer_report)
adit_test(tunnel mailbox)
adit_test(tunnel quality)
adit_test(tunnel peer)
adit_test(tunnel handshake)
adit_test(tunnel handshake_load)
adit_test(tunnel admission)
adit_test(tunnel control)
adit_test(tunnel data_path)
adit_test(tunnel worker)
adit_test(tunnel drain)
adit_test(tunnel read_ahead)
# Messages that the kernel would not deliver.
target_link_options(test_data_path PRIVATE -Wl,--wrap=udp_receive,--wrap=sendmmsg)
# A TUN that refuses super-packets.
target_link_options(test_worker PRIVATE -Wl,--wrap=tun_write)
# A wrapped system call makes sockets full.
foreach(module worker drain read_ahead)
	target_link_options(test_${module} PRIVATE -Wl,--wrap=sendmmsg)
endforeach()
# Wrapped calls also delete the TUN, make the host refuse things, and count how often control takes the device lock.
foreach(module worker_pool worker_pool_control)
	adit_test(tunnel ${module})
	target_link_options(test_${module} PRIVATE
		-Wl,--wrap=sendmmsg,--wrap=read,--wrap=__read_chk,--wrap=pthread_create,--wrap=socket,--wrap=sched_getaffinity
		-Wl,--wrap=pthread_rwlock_wrlock)
endforeach()
