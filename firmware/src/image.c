#include "image.h"

#include "board.h"
#include "encoder.h"
#include "line.h"
#include "node.h"

/* Subtracting 128 flips the top bit. */
void image_to_int8(void) {
    int8_t *image = encoder_input();
    for (uint32_t i = 0; i < INKLING_INPUT_BYTES; i++) {
        image[i] = (int8_t)(image[i] ^ -128);
    }
}

struct image_start image_begin(void) {
    const struct image_start start = {.micros = board_micros(), .cycles = board_cycles()};
    image_to_int8();
    return start;
}

enum wire_error image_check(const struct wire_parser *command) {
    const uint8_t flags = command->head[0];
    const uint8_t chunk = command->head[1];
    if ((flags & ~(WIRE_RUN_WANTS_COST | WIRE_RUN_BY_RADIO)) != 0u) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    if ((flags & WIRE_RUN_BY_RADIO) != 0u) {
        return node_check(chunk);
    }
    return chunk < inkling_model.chunk_count ? WIRE_ERROR_NONE : WIRE_ERROR_BAD_ARGUMENT;
}

enum wire_error image_answer(const struct wire_parser *command, struct image_start start) {
    const uint32_t encode_start = board_cycles();
    const int8_t *latent = encoder_run();
    const uint32_t encode_end = board_cycles();
    if (latent == NULL) {
        return WIRE_ERROR_ENGINE;
    }
    struct node_report by_radio;
    uint32_t ready;
    if ((command->head[0] & WIRE_RUN_BY_RADIO) != 0u) {
        const enum wire_error error = node_send(command->request & 31u, command->head[1], latent, &by_radio);
        if (error != WIRE_ERROR_NONE) {
            return error;
        }
        ready = by_radio.ready_cycles;
    } else {
        ready = line_send_feature(command->request, command->head[1], latent);
    }
    if (command->head[0] != 0u) { /* cost requested, or the frame went out by radio */
        const struct wire_run_cost cost = {
            .encode_cycles = encode_end - encode_start,
            .total_cycles = ready - start.cycles,
            .microseconds = board_micros() - start.micros,
        };
        uint8_t data[WIRE_RUN_COST_BYTES + WIRE_RADIO_REPORT_BYTES];
        size_t size = WIRE_RUN_COST_BYTES;
        wire_run_cost_write(data, &cost);
        if ((command->head[0] & WIRE_RUN_BY_RADIO) != 0u) {
            wire_radio_report_write(data + size, &by_radio.sent);
            size += WIRE_RADIO_REPORT_BYTES;
        }
        line_send_reply(command->request, command->opcode, data, size);
    }
    return WIRE_ERROR_NONE;
}
