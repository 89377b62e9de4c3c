/* BCH(63,24) code of the frame header: t = 7, narrow-sense, over GF(64) with x^6 + x + 1. Boards only encode: they
 * accept a command header only if re-encoding its 24 message bits gives all 64 bits. */
#ifndef INKLING_WIRE_BCH_H
#define INKLING_WIRE_BCH_H

#include <stdint.h>

#define WIRE_HEADER_BYTES 8u

#ifdef __cplusplus
extern "C" {
#endif

/* Write the low 24 bits of `word`, 39 parity bits and a 0 bit, most significant first. */
void wire_bch_encode(uint32_t word, uint8_t block[WIRE_HEADER_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
