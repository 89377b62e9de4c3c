#include "reference_aes.h"

#include <string.h>

static uint8_t product(uint8_t a, uint8_t b) {
    uint8_t sum = 0;
    for (int bit = 0; bit < 8; bit++) {
        sum ^= b >> bit & 1 ? a : 0;
        a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1B : 0));
    }
    return sum;
}

/* The inverse, a^254, then the affine map. */
static uint8_t s_box(uint8_t byte) {
    static uint8_t table[256]; /* computed once: the fuzzer runs many inputs */
    static int computed;
    for (; computed < 256; computed++) {
        uint8_t inverse = 1;
        for (int i = 0; i < 254; i++) {
            inverse = product(inverse, (uint8_t)computed);
        }
        uint8_t out = 0x63;
        for (int turn = 0; turn < 5; turn++) {
            out ^= (uint8_t)(inverse << turn | inverse >> (8 - turn));
        }
        table[computed] = out;
    }
    return table[byte];
}

static void next_round_key(uint8_t key[AES_BYTES], uint8_t constant) {
    for (size_t i = 0; i < 4; i++) {
        key[i] ^= s_box(key[12 + (i + 1) % 4]);
    }
    key[0] ^= constant;
    for (size_t i = 4; i < AES_BYTES; i++) {
        key[i] ^= key[i - 4];
    }
}

static void encrypt_block(const uint8_t key[AES_BYTES], uint8_t block[AES_BYTES]) {
    uint8_t round_key[AES_BYTES];
    uint8_t constant = 1;
    memcpy(round_key, key, AES_BYTES);
    for (int round = 0; round <= 10; round++) {
        if (round > 0) {
            uint8_t moved[AES_BYTES];
            for (size_t i = 0; i < AES_BYTES; i++) {
                moved[i] = s_box(block[(i + 4 * (i % 4)) % AES_BYTES]); /* row i % 4 moves by as many columns */
            }
            for (size_t i = 0; i < AES_BYTES; i++) {
                const uint8_t *column = moved + i / 4 * 4;
                block[i] = round == 10 ? moved[i]
                                       : (uint8_t)(product(column[i % 4], 2) ^ product(column[(i + 1) % 4], 3) ^
                                                   column[(i + 2) % 4] ^ column[(i + 3) % 4]);
            }
            next_round_key(round_key, constant);
            constant = product(constant, 2);
        }
        for (size_t i = 0; i < AES_BYTES; i++) {
            block[i] ^= round_key[i];
        }
    }
}

static void times_x(uint8_t block[AES_BYTES]) {
    const uint8_t reduce = block[0] & 0x80 ? 0x87 : 0;
    for (size_t i = 0; i < AES_BYTES; i++) {
        block[i] = (uint8_t)(block[i] << 1 | (i + 1 < AES_BYTES ? block[i + 1] >> 7 : 0));
    }
    block[AES_BYTES - 1] ^= reduce;
}

void reference_cmac(const uint8_t key[AES_BYTES], const uint8_t *message, size_t length, uint8_t tag[AES_BYTES]) {
    const size_t blocks = length == 0 ? 1 : (length + AES_BYTES - 1) / AES_BYTES;
    uint8_t subkey[AES_BYTES] = {0};
    encrypt_block(key, subkey);
    times_x(subkey);
    if (length != blocks * AES_BYTES) {
        times_x(subkey);
    }
    memset(tag, 0, AES_BYTES);
    for (size_t i = 0; i < blocks * AES_BYTES; i++) {
        tag[i % AES_BYTES] ^= i < length ? message[i] : i == length ? 0x80 : 0;
        tag[i % AES_BYTES] ^= i / AES_BYTES + 1 == blocks ? subkey[i % AES_BYTES] : 0;
        if (i % AES_BYTES == AES_BYTES - 1) {
            encrypt_block(key, tag);
        }
    }
}

void reference_ctr(const uint8_t key[AES_BYTES], const uint8_t first[AES_BYTES], uint8_t *data, size_t length) {
    uint8_t stream[AES_BYTES];
    for (size_t i = 0; i < length; i++) {
        if (i % AES_BYTES == 0) {
            memcpy(stream, first, AES_BYTES);
            stream[AES_BYTES - 1] = (uint8_t)(i / AES_BYTES);
            encrypt_block(key, stream);
        }
        data[i] ^= stream[i % AES_BYTES];
    }
}
