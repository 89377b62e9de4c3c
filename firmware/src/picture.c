#include "picture.h"

#include "board.h"
#include "encoder.h"
#include "line.h"

/* Pixels (0..255) become int8 = pixel - 128 where they are: the top bit flips. */
static void pixels_to_int8(int8_t *image) {
    for (uint32_t i = 0; i < INKLING_INPUT_BYTES; i++) {
        image[i] = (int8_t)(image[i] ^ -128);
    }
}

struct picture_start picture_begin(void) {
    return (struct picture_start){.micros = board_micros(), .cycles = board_cycles()};
}

enum wire_error picture_check(const struct wire_parser *command) {
    const uint8_t flags = command->head[0];
    const uint8_t chunk = command->head[1];
    const bool known = (flags & ~WIRE_RUN_WANTS_COST) == 0u && chunk < inkling_model.chunk_count;
    return known ? WIRE_ERROR_NONE : WIRE_ERROR_BAD_ARGUMENT;
}

enum wire_error picture_answer(const struct wire_parser *command, struct picture_start start) {
    pixels_to_int8(encoder_input());
    const uint32_t encode_start = board_cycles();
    const int8_t *latent = encoder_run();
    const uint32_t encode_end = board_cycles();
    if (latent == NULL) {
        return WIRE_ERROR_ENGINE;
    }
    const uint32_t ready = line_send_feature(command->request, command->head[1], latent);
    if ((command->head[0] & WIRE_RUN_WANTS_COST) != 0u) {
        const struct wire_run_cost cost = {
            .encode_cycles = encode_end - encode_start,
            .total_cycles = ready - start.cycles,
            .microseconds = board_micros() - start.micros,
        };
        uint8_t data[WIRE_RUN_COST_BYTES];
        wire_run_cost_write(data, &cost);
        line_send_reply(command->request, command->opcode, data, sizeof data);
    }
    return WIRE_ERROR_NONE;
}
