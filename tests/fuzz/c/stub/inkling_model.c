#include "inkling_model.h"

static const uint8_t symbol_table[256] = {
    [0 ... 31] = 0,    [32 ... 63] = 1,   [64 ... 95] = 2,   [96 ... 127] = 3,
    [128 ... 159] = 4, [160 ... 191] = 5, [192 ... 223] = 6, [224 ... 255] = 7,
};

static const uint16_t symbol_order[INKLING_SYMBOL_COUNT] = {7, 3, 11, 0, 1, 10, 4, 5, 2, 9, 8};

static const struct wire_chunk chunks[] = {{0, 11}, {0, 4}, {1, 10}, {10, 1}};

static const uint16_t answer_weights[256] = {
    [0 ... 7] = 32768, [8 ... 15] = 16384, [16 ... 31] = 8192, [32 ... 63] = 4096, [64 ... 127] = 1024,
};

const struct wire_model inkling_model = {
    .number = 0x5EED1234u,
    .symbol_table = symbol_table,
    .symbol_order = symbol_order,
    .chunks = chunks,
    .chunk_count = 4,
    .bits_per_symbol = INKLING_BITS_PER_SYMBOL,
    .latent_count = INKLING_LATENT_BYTES,
    .class_count = INKLING_CLASS_COUNT,
    .answer_weights = answer_weights,
    .threshold = 8,
};
