/* Writing of big-endian numbers; each function returns the position after the number. */
#ifndef INKLING_WIRE_BYTES_H
#define INKLING_WIRE_BYTES_H

#include <stdint.h>

static inline uint8_t *wire_put_u8(uint8_t *out, uint32_t value) {
    out[0] = (uint8_t)value;
    return out + 1;
}

static inline uint8_t *wire_put_u16(uint8_t *out, uint32_t value) {
    return wire_put_u8(wire_put_u8(out, value >> 8), value);
}

static inline uint8_t *wire_put_u32(uint8_t *out, uint32_t value) {
    return wire_put_u16(wire_put_u16(out, value >> 16), value);
}

#endif
