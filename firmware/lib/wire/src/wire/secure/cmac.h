/* CMAC with AES-128 (SP 800-38B), of a message in any number of parts. */
#ifndef INKLING_WIRE_CMAC_H
#define INKLING_WIRE_CMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/secure/aes.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wire_cmac {
    const uint8_t *key; /* referenced, not copied */
    uint8_t state[WIRE_BLOCK_BYTES];
    uint8_t count; /* bytes of the last block that are in `state`, 0..16 */
};

void wire_cmac_start(struct wire_cmac *cmac, const uint8_t key[WIRE_KEY_BYTES]);
void wire_cmac_update(struct wire_cmac *cmac, const uint8_t *data, size_t length);
void wire_cmac_finish(struct wire_cmac *cmac, uint8_t tag[WIRE_BLOCK_BYTES]);

/* Return true if two tags are equal. The time does not depend on where they differ. */
bool wire_tags_equal(const uint8_t *a, const uint8_t *b, size_t length);

#ifdef __cplusplus
}
#endif

#endif
