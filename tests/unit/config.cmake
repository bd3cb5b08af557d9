# SPDX-License-Identifier: MIT
adit_test(config ini)
adit_test(config examples)
adit_test(config cipher)
target_link_options(test_cipher PRIVATE -Wl,--wrap=crypto_aead_aes256gcm_is_available) # a machine without AES
adit_fuzz(config ini 30000)
