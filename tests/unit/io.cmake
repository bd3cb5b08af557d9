# Answers of other kernels and of full sockets are played by wrapped system calls.
adit_test(io tun)
target_link_options(test_tun PRIVATE -Wl,--wrap=ioctl,--wrap=writev)
adit_test(io endpoint)
adit_test(io udp)
target_link_options(test_udp PRIVATE -Wl,--wrap=socket,--wrap=getsockopt,--wrap=setsockopt,--wrap=send,--wrap=recvmmsg)
adit_test(io udp_send)
target_link_options(test_udp_send PRIVATE -Wl,--wrap=sendmmsg)
adit_test(io udp_control)
target_include_directories(test_udp_control PRIVATE ${CMAKE_SOURCE_DIR}/src/io) # its header is the layer's own
adit_test(io netlink)
adit_test(io resolve)
adit_test(io link)
