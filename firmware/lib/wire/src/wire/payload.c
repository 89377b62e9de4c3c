#include "wire/payload.h"

#include <string.h>

#include "wire/answer.h"

/* Extended Euclidean algorithm: *divisor = gcd(step, n); if it is 1, returns the inverse of step modulo n. */
static uint32_t invert(uint32_t step, uint32_t n, uint32_t *divisor) {
    int32_t inverse = 0, next_inverse = 1;
    uint32_t rest = n, next_rest = step;
    while (next_rest != 0) {
        const uint32_t quotient = rest / next_rest;
        const uint32_t new_rest = rest - quotient * next_rest;
        const int32_t new_inverse = inverse - (int32_t)quotient * next_inverse;
        rest = next_rest;
        next_rest = new_rest;
        inverse = next_inverse;
        next_inverse = new_inverse;
    }
    *divisor = rest;
    return inverse < 0 ? (uint32_t)(inverse + (int32_t)n) : (uint32_t)inverse;
}

/* Return max(1, floor(0.618034 * n_bits)), split into thousands to stay within 32 bits. */
static uint32_t golden_step(uint32_t n_bits) {
    const uint32_t thousands = n_bits / 1000u * 618034u;
    const uint32_t rest = thousands % 1000u * 1000u + n_bits % 1000u * 618034u;
    const uint32_t step = thousands / 1000u + rest / 1000000u;
    return step == 0 ? 1u : step;
}

/* Return the interleaver's step and its inverse: payload bit k becomes wire bit k * inverse mod n_bits. */
static uint32_t find_step(uint32_t n_bits, uint32_t *inverse) {
    uint32_t divisor;
    uint32_t step = golden_step(n_bits);
    for (;; step++) {
        *inverse = invert(step, n_bits, &divisor);
        if (divisor == 1) {
            return step;
        }
    }
}

uint32_t wire_interleaver_step(uint32_t n_bits) {
    uint32_t inverse;
    return find_step(n_bits, &inverse);
}

/* Writer of a payload's bits to their places on the wire. */
struct writer {
    uint8_t *out;
    uint32_t n_bits;
    uint32_t inverse;
    uint32_t wire_bit; /* place of the next bit */
};

static void write_bits(struct writer *writer, uint32_t value, int bits) {
    for (int bit = bits - 1; bit >= 0; bit--) {
        if ((value >> bit) & 1u) {
            writer->out[writer->wire_bit >> 3] |= (uint8_t)(0x80u >> (writer->wire_bit & 7u));
        }
        writer->wire_bit += writer->inverse;
        if (writer->wire_bit >= writer->n_bits) {
            writer->wire_bit -= writer->n_bits;
        }
    }
}

void wire_payload_write(uint8_t *out, const struct wire_model *model, struct wire_chunk chunk, const int8_t *outputs) {
    const uint32_t answer_bits = model->class_count > 0 ? WIRE_ANSWER_BITS : 0u;
    const uint16_t *order = model->symbol_order + chunk.first;
    struct writer writer = {out, answer_bits + (uint32_t)chunk.count * model->bits_per_symbol, 0, 0};
    find_step(writer.n_bits, &writer.inverse);
    memset(out, 0, WIRE_PAYLOAD_BYTES(model->class_count, chunk.count, model->bits_per_symbol));
    if (answer_bits > 0) {
        const struct wire_answer answer = wire_answer_of(model, outputs + model->latent_count);
        write_bits(&writer, wire_answer_word(answer), (int)answer_bits);
    }
    for (uint32_t i = 0; i < chunk.count; i++) {
        const uint32_t level = model->symbol_table[outputs[order[i]] + 128];
        write_bits(&writer, level ^ (level >> 1), model->bits_per_symbol);
    }
}
