/* Reference implementation of the wire's codes, bit by bit as in docs/SPEC.md, to compare the firmware with. */
#ifndef INKLING_FUZZ_REFERENCE_H
#define INKLING_FUZZ_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYNC_BYTES 4u
#define HEADER_BYTES 8u
#define START_BYTES (SYNC_BYTES + HEADER_BYTES)
#define FIXED_BYTES 4u /* length, opcode, request */
#define CRC32_BYTES 4u
#define CONTROL_BYTES(data) (START_BYTES + FIXED_BYTES + (data) + CRC32_BYTES)

enum { FEATURE = 0, REPLY = 1, COMMAND = 2, ANSWER = 3 };

extern const uint8_t reference_sync[SYNC_BYTES];

/* Read and write a big-endian number of up to 8 bytes. */
uint64_t reference_number(const uint8_t *bytes, size_t count);
uint8_t *reference_put(uint8_t *out, uint64_t number, size_t count);

/* Return the 8 bytes of a header, as a number. */
uint64_t reference_header(uint32_t type, uint32_t device, uint32_t sequence, uint32_t model, uint32_t chunk);

/* Return the valid header that starts with the low 24 bits of `word`. */
uint64_t reference_codeword(uint32_t word);

/* Return the 8 bytes of an answer frame with the low 36 bits of `word`, as a number; and those 36 bits of an undamaged
 * one, UINT64_MAX if it is damaged. */
uint64_t reference_answer(uint64_t word);
uint64_t reference_answer_word(uint64_t block);

/* Return the number of bounds that the sum of weights of all scores does not exceed, 0..15. */
uint32_t reference_confidence(uint32_t sum);

/* Return the answer word of a class and a confidence level. */
uint32_t reference_payload_word(uint32_t index, uint32_t confidence);

uint16_t reference_crc16(uint32_t start, const uint8_t *data, size_t length);
uint32_t reference_crc32(const uint8_t *data, size_t length);

/* Return the interleaver's step for n_bits data bits. */
uint64_t reference_step(uint64_t n_bits);

#endif
