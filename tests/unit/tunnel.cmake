adit_test(tunnel allowedips)
adit_test(tunnel staged)
adit_test(tunnel timers)
adit_test(tunnel handshake)
adit_test(tunnel notice)
adit_test(tunnel worker)
# Full sockets are played by a wrapped system call.
target_link_options(test_worker PRIVATE -Wl,--wrap=sendmmsg)
