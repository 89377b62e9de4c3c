/* Stub model, small enough to fuzz thousands of images per second. A real encoder takes milliseconds. */
#ifndef INKLING_MODEL_H
#define INKLING_MODEL_H

#include "wire/payload.h"

#define INKLING_HEIGHT 3u
#define INKLING_WIDTH 10u
#define INKLING_CHANNELS 1u
#define INKLING_INPUT_BYTES 30u
#define INKLING_LATENT_BYTES 12u
#define INKLING_CLASS_COUNT 5u
#define INKLING_OUTPUT_BYTES (INKLING_LATENT_BYTES + INKLING_CLASS_COUNT)
#define INKLING_ARENA_BYTES 16u
#define INKLING_SYMBOL_COUNT 11u
#define INKLING_BITS_PER_SYMBOL 3u

extern const struct wire_model inkling_model;

#endif
