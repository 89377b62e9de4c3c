#include "commands.h"

#include <string.h>

#include "board.h"
#include "capture.h"
#include "counter.h"
#include "encoder.h"
#include "gateway.h"
#include "image.h"
#include "line.h"
#include "mode.h"
#include "node.h"
#include "secure.h"

#define FIRMWARE_VERSION {0, 1, 0}
#define KEY_BYTES_IN_INPUT (WIRE_KEY_BYTES - WIRE_HEAD_BYTES) /* of the command KEY */

_Static_assert(INKLING_INPUT_BYTES >= KEY_BYTES_IN_INPUT, "the command KEY needs room");

/* Return the most data bytes of a command, with the seal that a board with a key takes. */
static uint16_t max_data(const struct wire_parser *command) {
    const uint32_t bytes = wire_parser_max_data(command) + (secure_has_key() ? WIRE_SEAL_BYTES : 0u);
    return (uint16_t)(bytes < 0xFFFFu ? bytes : 0xFFFFu);
}

static enum wire_error info(const struct wire_parser *command) {
    if (command->length != 0u) {
        return WIRE_ERROR_BAD_LENGTH;
    }
    const struct wire_info info = {
        .firmware_version = FIRMWARE_VERSION,
        .model_number = inkling_model.number,
        .engine = encoder_engine(),
        .target = board_target(),
        .height = INKLING_HEIGHT,
        .width = INKLING_WIDTH,
        .channels = INKLING_CHANNELS,
        .symbol_count = INKLING_SYMBOL_COUNT,
        .bits_per_symbol = INKLING_BITS_PER_SYMBOL,
        .chunk_count = inkling_model.chunk_count,
        .arena_bytes = encoder_arena_bytes(),
        .encoder_ram_bytes = encoder_ram_bytes(),
        .stack_bytes = board_stack_bytes(),
        .clock_hz = board_clock_hz(),
        .max_data = max_data(command),
        .class_count = INKLING_CLASS_COUNT,
        .mode = mode_get().mode,
        .threshold = mode_get().threshold,
    };
    uint8_t data[WIRE_INFO_BYTES];
    wire_info_write(data, &info);
    line_send_reply(command->request, WIRE_INFO, data, sizeof data);
    return WIRE_ERROR_NONE;
}

static enum wire_error run(const struct wire_parser *command) {
    if (command->length != WIRE_HEAD_BYTES + INKLING_INPUT_BYTES) {
        return WIRE_ERROR_BAD_LENGTH;
    }
    const struct image_start start = image_begin();
    const enum wire_error error = image_check(command);
    return error != WIRE_ERROR_NONE ? error : image_reply(command, start);
}

static enum wire_error capture(const struct wire_parser *command) {
    if (command->length != WIRE_HEAD_BYTES) {
        return WIRE_ERROR_BAD_LENGTH;
    }
    enum wire_error error = image_check(command);
    if (error == WIRE_ERROR_NONE) {
        error = capture_take();
    }
    return error != WIRE_ERROR_NONE ? error : image_reply(command, image_begin());
}

static enum wire_error pixels(const struct wire_parser *command) {
    if (command->length != 0u) {
        return WIRE_ERROR_BAD_LENGTH;
    }
    line_send_pixels(command->request, encoder_input());
    return WIRE_ERROR_NONE;
}

static enum wire_error bench(const struct wire_parser *command) {
    const uint8_t repeats = command->head[0];
    if (command->length != 1u) {
        return WIRE_ERROR_BAD_LENGTH;
    }
    if (repeats < 1u || repeats > WIRE_BENCH_MAX_REPEATS) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    struct wire_bench_result result = {.repeats = repeats, .min_cycles = UINT32_MAX};
    uint64_t sum = 0;
    const uint32_t start_micros = board_micros();
    for (uint32_t i = 0; i < repeats; i++) {
        const uint32_t start = board_cycles();
        if (encoder_run() == NULL) {
            return WIRE_ERROR_ENGINE;
        }
        const uint32_t cycles = board_cycles() - start;
        result.min_cycles = cycles < result.min_cycles ? cycles : result.min_cycles;
        result.max_cycles = cycles > result.max_cycles ? cycles : result.max_cycles;
        sum += cycles;
        board_progress(); /* all of them may take longer than the watchdog waits */
    }
    result.microseconds = board_micros() - start_micros;
    result.mean_cycles = (uint32_t)((sum + repeats / 2u) / repeats);
    uint8_t data[WIRE_BENCH_RESULT_BYTES];
    wire_bench_result_write(data, &result);
    line_send_reply(command->request, WIRE_BENCH, data, sizeof data);
    return WIRE_ERROR_NONE;
}

/* Without data, the command only asks. */
static enum wire_error mode(const struct wire_parser *command) {
    if (command->length != 0u && command->length != WIRE_MODE_BYTES) {
        return WIRE_ERROR_BAD_LENGTH;
    }
    if (command->length != 0u && !mode_set((struct mode){.mode = command->head[0], .threshold = command->head[1]})) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    const struct mode present = mode_get();
    const uint8_t data[WIRE_MODE_BYTES] = {present.mode, present.threshold};
    line_send_reply(command->request, WIRE_MODE, data, sizeof data);
    return WIRE_ERROR_NONE;
}

/* Without data, the command only asks. The key's bytes are in the encoder's input, where PIXELS would find them. */
static enum wire_error key(const struct wire_parser *command) {
    enum wire_error error = command->length == 0u ? WIRE_ERROR_NONE : WIRE_ERROR_BAD_LENGTH;
    if (command->length == WIRE_KEY_BYTES) {
        uint8_t bytes[WIRE_KEY_BYTES];
        memcpy(bytes, command->head, WIRE_HEAD_BYTES);
        memcpy(bytes + WIRE_HEAD_BYTES, encoder_input(), KEY_BYTES_IN_INPUT);
        error = secure_set_key(bytes);
        node_restart();
        gateway_restart();
    }
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const enum counter_key state = counter_key();
    const bool is_permanent = state == COUNTER_KEY_PERMANENT || state == COUNTER_KEY_LOST;
    const uint8_t flags = (secure_has_key() ? WIRE_KEY_HAS_KEY : 0u) | (is_permanent ? WIRE_KEY_PERMANENT : 0u);
    uint8_t data[WIRE_KEY_STATE_BYTES];
    wire_key_state_write(data, flags, counter_peek());
    line_send_reply(command->request, WIRE_KEY, data, sizeof data);
    return WIRE_ERROR_NONE;
}

static enum wire_error start_error = WIRE_ERROR_NONE; /* of the encoder */

static bool needs_encoder(uint8_t opcode) {
    return opcode == WIRE_RUN || opcode == WIRE_BENCH || opcode == WIRE_CAPTURE;
}

void commands_start(enum wire_error encoder_error) {
    start_error = encoder_error;
}

void commands_wipe(const struct wire_parser *command) {
    if ((command->opcode & ~WIRE_SEALED_BIT) == WIRE_KEY && command->length > WIRE_HEAD_BYTES) {
        memset(encoder_input(), 0, KEY_BYTES_IN_INPUT);
    }
}

enum wire_error command_execute(const struct wire_parser *command) {
    if (needs_encoder(command->opcode) && start_error != WIRE_ERROR_NONE) {
        return start_error;
    }
    switch (command->opcode) {
        case WIRE_INFO:
            return info(command);
        case WIRE_RUN:
            return run(command);
        case WIRE_BENCH:
            return bench(command);
        case WIRE_CAPTURE:
            return capture(command);
        case WIRE_PIXELS:
            return pixels(command);
        case WIRE_MODE:
            return mode(command);
        case WIRE_KEY:
            return key(command);
        default:
            return WIRE_ERROR_UNKNOWN_COMMAND;
    }
}
