/* Payload of a chunk: the answer word, then latent values -> levels -> Gray code -> bits; packed and interleaved. */
#ifndef INKLING_WIRE_PAYLOAD_H
#define INKLING_WIRE_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_ANSWER_BITS 16u /* of the answer word */

/* Bytes for the answer, if there are classes, and `count` symbols of `bits` bits each. */
#define WIRE_PAYLOAD_BYTES(class_count, count, bits) \
    ((((class_count) > 0u ? WIRE_ANSWER_BITS : 0u) + (size_t)(count) * (bits) + 7u) / 8u)

struct wire_chunk {
    uint16_t first; /* first symbol, a position in symbol_order */
    uint16_t count; /* number of symbols */
};

/* A bundle's payload format and answers. The tables are referenced, not copied. The encoder's outputs are latent_count
 * latent values, then class_count scores. */
struct wire_model {
    uint32_t number;              /* model_id */
    const uint8_t *symbol_table;  /* [256]: latent value + 128 -> level */
    const uint16_t *symbol_order; /* latent positions in sending order */
    const struct wire_chunk *chunks;
    uint8_t chunk_count;
    uint8_t bits_per_symbol; /* 1..8 */
    uint8_t threshold;       /* confidence level from which the board answers in mode adaptive, by default */
    uint16_t class_count;    /* 0 = no answer head */
    uint32_t latent_count;
    const uint16_t *answer_weights; /* [256]: top score - score -> weight; unused without classes */
};

/* Return the interleaver's step for n_bits = 1..524296: wire bit j carries payload bit j * step mod n_bits. */
uint32_t wire_interleaver_step(uint32_t n_bits);

/* Write the WIRE_PAYLOAD_BYTES of a chunk, which must lie within symbol_order. outputs: of the encoder. */
void wire_payload_write(uint8_t *out, const struct wire_model *model, struct wire_chunk chunk, const int8_t *outputs);

#ifdef __cplusplus
}
#endif

#endif
