/* Engine "aot": the network as C, compiled from the bundle by BakeNN before the build. */
#include "encoder.h"

#include "bknn_inkling.h"
#include "tables.h"

static _Alignas(4) int8_t input[INKLING_INPUT_BYTES];
static _Alignas(4) int8_t latent[INKLING_LATENT_BYTES];
static _Alignas(16) uint8_t arena[INKLING_ARENA_BYTES]; /* BakeNN's holds the kernels' scratch, too */

_Static_assert(BKNN_INKLING_ARENA_ALIGNMENT <= 16u, "the arena needs a stronger alignment");

enum wire_error encoder_start(void) {
    return encoder_tables_intact() ? WIRE_ERROR_NONE : WIRE_ERROR_MODEL_DAMAGED;
}

int8_t *encoder_input(void) {
    return input;
}

const int8_t *encoder_run(void) {
    bknn_inkling_infer(arena, input, latent);
    return latent;
}

uint32_t encoder_arena_bytes(void) {
    return sizeof arena;
}

uint32_t encoder_ram_bytes(void) {
    return (uint32_t)(sizeof arena + sizeof input + sizeof latent);
}

const char *encoder_engine(void) {
    return "aot";
}
