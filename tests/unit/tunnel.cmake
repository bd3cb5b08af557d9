# SPDX-License-Identifier: MIT
adit_test(tunnel allowedips)
adit_test(tunnel staged)
adit_test(tunnel timers)
adit_test(tunnel handshake)
adit_test(tunnel notice)
adit_test(tunnel worker)
adit_test(tunnel drain)
# Full sockets are played by a wrapped system call.
target_link_options(test_worker PRIVATE -Wl,--wrap=sendmmsg)
target_link_options(test_drain PRIVATE -Wl,--wrap=sendmmsg)
adit_test(tunnel read_ahead)
target_link_options(test_read_ahead PRIVATE -Wl,--wrap=sendmmsg)
# So are deleted TUNs, and what a host refuses.
foreach(module workers workers_control)
	adit_test(tunnel ${module})
	target_link_options(test_${module} PRIVATE
		-Wl,--wrap=sendmmsg,--wrap=read,--wrap=pthread_create,--wrap=socket,--wrap=sched_getaffinity)
endforeach()
