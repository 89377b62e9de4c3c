/* A chunk's payload: latent values -> levels -> Gray code -> bits, packed and interleaved. */
#ifndef INKLING_WIRE_PAYLOAD_H
#define INKLING_WIRE_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that hold `count` symbols of `bits` bits. */
#define WIRE_PAYLOAD_BYTES(count, bits) (((size_t)(count) * (bits) + 7u) / 8u)

struct wire_chunk {
    uint16_t first; /* symbol */
    uint16_t count;
};

/* What a bundle says about its payload; the tables are its own and stay where they are. */
struct wire_model {
    uint32_t number;              /* the model_id */
    const uint8_t *symbol_table;  /* [256]: latent value + 128 -> level */
    const uint16_t *symbol_order; /* latent positions in the order in which they are sent */
    const struct wire_chunk *chunks;
    uint8_t chunk_count;
    uint8_t bits_per_symbol; /* 1..8 */
};

/* The interleaver's step for 1..524280 data bits: wire bit j carries payload bit j * step mod n_bits. */
uint32_t wire_interleaver_step(uint32_t n_bits);

/* Writes WIRE_PAYLOAD_BYTES of a chunk that lies within symbol_order; `out` must have room for them. */
void wire_payload_write(uint8_t *out, const struct wire_model *model, struct wire_chunk chunk, const int8_t *latent);

#ifdef __cplusplus
}
#endif

#endif
