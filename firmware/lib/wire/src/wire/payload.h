/* Payload of a chunk: latent values -> levels -> Gray code -> bits, packed and interleaved. */
#ifndef INKLING_WIRE_PAYLOAD_H
#define INKLING_WIRE_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes for `count` symbols of `bits` bits each. */
#define WIRE_PAYLOAD_BYTES(count, bits) (((size_t)(count) * (bits) + 7u) / 8u)

struct wire_chunk {
    uint16_t first; /* first symbol, a position in symbol_order */
    uint16_t count; /* number of symbols */
};

/* A bundle's payload format. The tables are referenced, not copied. */
struct wire_model {
    uint32_t number;              /* model_id */
    const uint8_t *symbol_table;  /* [256]: latent value + 128 -> level */
    const uint16_t *symbol_order; /* latent positions in sending order */
    const struct wire_chunk *chunks;
    uint8_t chunk_count;
    uint8_t bits_per_symbol; /* 1..8 */
};

/* Return the interleaver's step for n_bits = 1..524280: wire bit j carries payload bit j * step mod n_bits. */
uint32_t wire_interleaver_step(uint32_t n_bits);

/* Write the WIRE_PAYLOAD_BYTES of a chunk, which must lie within symbol_order. */
void wire_payload_write(uint8_t *out, const struct wire_model *model, struct wire_chunk chunk, const int8_t *latent);

#ifdef __cplusplus
}
#endif

#endif
