/* Engine "aot": the network as C code, which BakeNN generates from the bundle before the build. */
#include "encoder.h"

#include "bknn_inkling.h"
#include "bknn_inkling_weights.h"
#include "tables.h"
#include "wire/crc.h"

static _Alignas(4) int8_t input[INKLING_INPUT_BYTES];
static _Alignas(4) int8_t outputs[INKLING_OUTPUT_BYTES];
static _Alignas(16) uint8_t arena[INKLING_ARENA_BYTES]; /* includes the kernels' scratch */

_Static_assert(BKNN_INKLING_ARENA_ALIGNMENT <= 16u, "BakeNN needs an arena with a larger alignment");
_Static_assert(BKNN_INKLING_ARENA_SIZE <= INKLING_ARENA_BYTES, "INKLING_ARENA_BYTES is too small");
_Static_assert(BKNN_INKLING_INPUT_BYTES == INKLING_INPUT_BYTES, "the input size differs from the bundle's");
_Static_assert(BKNN_INKLING_OUTPUT_BYTES == INKLING_OUTPUT_BYTES, "the output size differs from the bundle's");

enum wire_error encoder_start(void) {
    const uint32_t crc = wire_crc32(0, (const uint8_t *)&inkling_weights, sizeof inkling_weights);
    return encoder_tables_intact() && crc == INKLING_MODEL_CRC32 ? WIRE_ERROR_NONE : WIRE_ERROR_MODEL_DAMAGED;
}

int8_t *encoder_input(void) {
    return input;
}

const int8_t *encoder_run(void) {
    bknn_inkling_infer(arena, input, outputs);
    return outputs;
}

uint32_t encoder_arena_bytes(void) {
    return sizeof arena;
}

uint32_t encoder_ram_bytes(void) {
    return (uint32_t)(sizeof arena + sizeof input + sizeof outputs);
}

const char *encoder_engine(void) {
    return "aot";
}
