/* The device key of the board, its counter and its permanent memory, as docs/SPEC.md and board.h have them. */
#ifndef INKLING_FUZZ_KEY_H
#define INKLING_FUZZ_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_BYTES 12u
#define SEALED 0x40u
#define HEADER_TAG_BYTES 8u
#define PAYLOAD_TAG_BYTES 4u

/* Start without a key, with a permanent memory that takes this many writes. */
void key_start(unsigned writes);

/* Return true if the board has a key; the number of its next image; the flags of the reply to KEY. */
bool key_is_set(void);
uint32_t key_counter(void);
uint8_t key_flags(void);

/* Return true if there is a key that cannot be used. */
bool key_is_lost(void);

/* Set the key. Returns false if the memory does not take it. */
bool key_set(const uint8_t key[16]);

/* Use up the counter of an image. Returns false if it may not be used. */
bool key_take(void);

/* Write the seal of a command for a counter. opcode: as sent. */
void key_seal(uint8_t seal[SEAL_BYTES], uint32_t counter, uint8_t opcode, uint8_t request, const uint8_t *data,
              size_t length);

/* Write the tag of a frame of the last image: purpose 1, 2 or 3. word: of the header or the answer. */
void key_tag(uint8_t tag[16], uint8_t purpose, uint8_t chunk, uint64_t word, const uint8_t *data, size_t length);

/* Encrypt data of the last image: purpose 5 or 6. */
void key_encrypt(uint8_t purpose, uint8_t chunk, uint8_t *data, size_t length);

#endif
