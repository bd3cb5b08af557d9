adit_test(crypto hash)
adit_test(crypto aead)
adit_test(crypto noise)
adit_test(crypto session)
target_link_options(test_session PRIVATE -Wl,--wrap=free) # to see what is freed
adit_test(crypto replay)
adit_test(crypto cookie)
