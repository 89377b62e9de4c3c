#include "image.h"

#include "board.h"
#include "encoder.h"
#include "line.h"
#include "secure.h"
#include "send.h"

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

static struct send_request request_of(const struct wire_parser *command) {
    const uint8_t flags = command->head[0];
    return (struct send_request){
        .number = secure_reply_number(command->request),
        .chunk = command->head[1],
        .by_radio = (flags & WIRE_RUN_BY_RADIO) != 0u,
        .by_mode = (flags & WIRE_RUN_BY_MODE) != 0u,
    };
}

enum wire_error image_check(const struct wire_parser *command) {
    const uint8_t known = WIRE_RUN_WANTS_COST | WIRE_RUN_BY_RADIO | WIRE_RUN_BY_MODE;
    if ((command->head[0] & ~known) != 0) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    const struct send_request request = request_of(command);
    return send_check(&request);
}

enum wire_error image_reply(const struct wire_parser *command, struct image_start start) {
    const struct send_request request = request_of(command);
    const uint32_t encode_start = board_cycles();
    const int8_t *outputs = encoder_run();
    const uint32_t encode_end = board_cycles();
    if (outputs == NULL) {
        return WIRE_ERROR_ENGINE;
    }
    struct send_result result;
    const enum wire_error error = send_image(&request, outputs, &result);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    if (request.by_radio || (command->head[0] & WIRE_RUN_WANTS_COST) != 0u) {
        const struct wire_run_cost cost = {
            .encode_cycles = encode_end - encode_start,
            .total_cycles = result.ready_cycles - start.cycles,
            .microseconds = board_micros() - start.micros,
        };
        uint8_t data[WIRE_RUN_COST_BYTES + WIRE_RADIO_REPORT_BYTES];
        size_t size = WIRE_RUN_COST_BYTES;
        wire_run_cost_write(data, &cost);
        if (request.by_radio) {
            wire_radio_report_write(data + size, &result.by_radio);
            size += WIRE_RADIO_REPORT_BYTES;
        }
        line_send_reply(command->request, command->opcode, data, size);
    }
    return WIRE_ERROR_NONE;
}
