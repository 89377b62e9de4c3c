/* Which chunk to send when the air time decides. */
#ifndef INKLING_PREFIX_H
#define INKLING_PREFIX_H

#include <stdint.h>

#include "radio.h"
#include "wire/payload.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PREFIX_NONE 255u

/* Bytes of the packet that carries a chunk: header, payload, CRC-16. */
size_t prefix_packet_bytes(const struct wire_model *model, uint8_t chunk);

/* The chunk with the most symbols from symbol 0 on whose packet is no longer than a radio's and no longer on the air
 * than max_micros; PREFIX_NONE when there is none. */
uint8_t prefix_longest(const struct wire_model *model, const struct radio_settings *settings, uint32_t max_micros);

#ifdef __cplusplus
}
#endif

#endif
