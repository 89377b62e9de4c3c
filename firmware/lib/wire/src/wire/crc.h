/* CRC-16 and CRC-32 of the wire format. */
#ifndef INKLING_WIRE_CRC_H
#define INKLING_WIRE_CRC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CRC-16: polynomial 0x1021, most significant bit first, no final xor. crc: initial value, or the value so far. */
uint16_t wire_crc16(uint16_t crc, const uint8_t *data, size_t length);

/* CRC-32 of IEEE 802.3. crc: 0, or the value so far. */
uint32_t wire_crc32(uint32_t crc, const uint8_t *data, size_t length);

#ifdef __cplusplus
}
#endif

#endif
