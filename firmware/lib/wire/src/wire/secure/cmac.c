#include "wire/secure/cmac.h"

#include <string.h>

void wire_cmac_start(struct wire_cmac *cmac, const uint8_t key[WIRE_KEY_BYTES]) {
    memset(cmac, 0, sizeof *cmac);
    cmac->key = key;
}

void wire_cmac_update(struct wire_cmac *cmac, const uint8_t *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (cmac->count == WIRE_BLOCK_BYTES) { /* not before: the last block is treated differently */
            wire_aes_encrypt(cmac->key, cmac->state, cmac->state);
            cmac->count = 0;
        }
        cmac->state[cmac->count++] ^= data[i];
    }
}

/* Multiply a block by x in GF(2^128) with x^128 + x^7 + x^2 + x + 1. */
static void times_x(uint8_t block[WIRE_BLOCK_BYTES]) {
    uint32_t carry = (block[0] >> 7) * 0x87u;
    for (int i = (int)WIRE_BLOCK_BYTES - 1; i >= 0; i--) {
        const uint32_t shifted = (uint32_t)block[i] << 1 ^ carry;
        carry = block[i] >> 7;
        block[i] = (uint8_t)shifted;
    }
}

void wire_cmac_finish(struct wire_cmac *cmac, uint8_t tag[WIRE_BLOCK_BYTES]) {
    uint8_t subkey[WIRE_BLOCK_BYTES] = {0};
    wire_aes_encrypt(cmac->key, subkey, subkey);
    times_x(subkey);
    if (cmac->count < WIRE_BLOCK_BYTES) { /* public: the length */
        times_x(subkey);
        cmac->state[cmac->count] ^= 0x80u;
    }
    for (size_t i = 0; i < WIRE_BLOCK_BYTES; i++) {
        cmac->state[i] ^= subkey[i];
    }
    wire_aes_encrypt(cmac->key, cmac->state, tag);
}

bool wire_tags_equal(const uint8_t *a, const uint8_t *b, size_t length) {
    volatile uint8_t difference = 0; /* volatile: a compiler must not leave the loop early */
    for (size_t i = 0; i < length; i++) {
        difference = (uint8_t)(difference | (a[i] ^ b[i]));
    }
    return difference == 0;
}
