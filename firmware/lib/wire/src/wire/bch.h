/* Codes of frame headers and of answer frames: BCH(63,24) and BCH(63,36), narrow-sense, over GF(64) with x^6 + x + 1.
 * Boards only encode: they accept a command header only if re-encoding its 24 message bits gives all 64 bits. */
#ifndef INKLING_WIRE_BCH_H
#define INKLING_WIRE_BCH_H

#include <stdbool.h>
#include <stdint.h>

#define WIRE_HEADER_BYTES 8u

#ifdef __cplusplus
extern "C" {
#endif

/* Write a header: the low 24 bits of `word`, 39 parity bits and a 0 bit, most significant first. */
void wire_bch_encode(uint32_t word, uint8_t block[WIRE_HEADER_BYTES]);

/* Write an answer: the codeword of the low 36 bits of `word` and a 0 bit, most significant first. */
void wire_bch_encode_answer(uint64_t word, uint8_t block[WIRE_HEADER_BYTES]);

/* Return true if a block is an undamaged answer; *word is then its 36 bits. */
bool wire_bch_read_answer(const uint8_t block[WIRE_HEADER_BYTES], uint64_t *word);

#ifdef __cplusplus
}
#endif

#endif
