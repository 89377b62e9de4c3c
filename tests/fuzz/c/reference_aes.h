/* Reference implementation of AES-128, CMAC and counter mode, byte by byte as in FIPS 197, SP 800-38B and SP 800-38A.
 */
#ifndef INKLING_FUZZ_REFERENCE_AES_H
#define INKLING_FUZZ_REFERENCE_AES_H

#include <stddef.h>
#include <stdint.h>

#define AES_BYTES 16u

/* Write the CMAC. */
void reference_cmac(const uint8_t key[AES_BYTES], const uint8_t *message, size_t length, uint8_t tag[AES_BYTES]);

/* Combine data with the keystream whose first block is given. */
void reference_ctr(const uint8_t key[AES_BYTES], const uint8_t first[AES_BYTES], uint8_t *data, size_t length);

#endif
