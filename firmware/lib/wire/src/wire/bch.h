/* BCH(63,24), t = 7, narrow-sense over GF(64) with x^6 + x + 1: the code that guards a frame's header. A
 * board only encodes: it takes a command when all 64 bits of its header are those that encoding gives. */
#ifndef INKLING_WIRE_BCH_H
#define INKLING_WIRE_BCH_H

#include <stdint.h>

#define WIRE_HEADER_BYTES 8u

#ifdef __cplusplus
extern "C" {
#endif

/* 24 message bits (the low ones of `word`), 39 parity bits, one 0 bit, most significant first. */
void wire_bch_encode(uint32_t word, uint8_t block[WIRE_HEADER_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
