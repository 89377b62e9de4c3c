/* Choice of the longest chunk that the air time allows. */
#ifndef INKLING_PREFIX_H
#define INKLING_PREFIX_H

#include <stdint.h>

#include "radio.h"
#include "wire/payload.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PREFIX_NONE 255u

/* Return the bytes of the packet for a chunk: header, payload, CRC-16, and `extra` bytes of a secured frame. */
size_t prefix_packet_bytes(const struct wire_model *model, uint8_t chunk, size_t extra);

/* Return the chunk with the most symbols, among those that start at symbol 0, whose packet fits into RADIO_MAX_BYTES
 * and max_micros of air time; PREFIX_NONE if there is none. */
uint8_t prefix_longest(const struct wire_model *model, const struct radio_settings *settings, size_t extra,
                       uint32_t max_micros);

#ifdef __cplusplus
}
#endif

#endif
