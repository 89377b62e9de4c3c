/* AES-128 (FIPS 197), encryption of single blocks. There are no tables, and no branch or address depends on a key or on
 * data, so that neither time nor caches tell them. */
#ifndef INKLING_WIRE_AES_H
#define INKLING_WIRE_AES_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_KEY_BYTES 16u
#define WIRE_BLOCK_BYTES 16u

#ifdef __cplusplus
extern "C" {
#endif

/* Encrypt a block. `out` may be `in`. */
void wire_aes_encrypt(const uint8_t key[WIRE_KEY_BYTES], const uint8_t in[WIRE_BLOCK_BYTES],
                      uint8_t out[WIRE_BLOCK_BYTES]);

/* Encrypt or decrypt data in place in counter mode (SP 800-38A): data block i is combined with the encryption of
 * `first` + i, a big-endian number of 16 bytes whose last two must not overflow. */
void wire_aes_ctr(const uint8_t key[WIRE_KEY_BYTES], const uint8_t first[WIRE_BLOCK_BYTES], uint8_t *data,
                  size_t length);

#ifdef __cplusplus
}
#endif

#endif
