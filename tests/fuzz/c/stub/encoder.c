/* Stub engine: every pixel affects every output, and scores are often equal. Encoding fails for one image in 256, to
 * test that error. */
#include "encoder.h"

#include <stddef.h>

#define REFUSED 13 /* first value of an image that fails */

static int8_t input[INKLING_INPUT_BYTES];
static int8_t outputs[INKLING_OUTPUT_BYTES];

enum wire_error encoder_start(void) {
    return WIRE_ERROR_NONE;
}

int8_t *encoder_input(void) {
    return input;
}

const int8_t *encoder_run(void) {
    uint32_t sum = 1;
    for (size_t i = 0; i < sizeof input; i++) {
        sum = 31u * sum + (uint8_t)input[i];
    }
    for (size_t i = 0; i < sizeof outputs; i++) {
        outputs[i] = (int8_t)(sum >> i & (i < INKLING_LATENT_BYTES ? 0xFFu : 0xE0u));
    }
    return input[0] == REFUSED ? NULL : outputs;
}

uint32_t encoder_arena_bytes(void) {
    return INKLING_ARENA_BYTES;
}

uint32_t encoder_ram_bytes(void) {
    return INKLING_ARENA_BYTES + sizeof input + sizeof outputs;
}

const char *encoder_engine(void) {
    return "stub";
}
