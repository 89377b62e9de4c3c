#include "node.h"

#if INKLING_RADIO && !INKLING_GATEWAY

#include "air_time.h"
#include "board.h"
#include "duty.h"
#include "encoder.h"
#include "line.h"
#include "lora.h"
#include "prefix.h"
#include "wire/frame.h"

static BOARD_RETAINED struct duty duty;
static BOARD_RETAINED uint32_t slept_seconds;
static bool ready; /* the radio is configured */
static uint8_t packet[RADIO_MAX_BYTES];

void node_start(void) {
    if (board_woke()) {
        node_wake();
    } else {
        duty_start(&duty, INKLING_LORA_DUTY_PERMILLE, board_micros());
    }
}

void node_step(void) {
    duty_update(&duty, board_micros());
}

void node_sleep(uint32_t seconds) {
    duty_update(&duty, board_micros());
    slept_seconds = seconds;
    if (ready) {
        radio_sleep();
    }
    ready = false;
}

void node_wake(void) {
    duty_slept(&duty, slept_seconds, board_micros());
}

uint8_t node_mode(uint8_t mode) {
    if (!INKLING_LORA_IMPLICIT || mode != WIRE_MODE_ADAPTIVE) {
        return mode;
    }
    return INKLING_LORA_CHUNK == WIRE_ANSWER ? WIRE_MODE_ANSWER : WIRE_MODE_FEATURES;
}

/* Replace WIRE_LONGEST_PREFIX by the chunk to send now, and check the chunk. */
static enum wire_error choose(uint8_t *chunk, const struct radio_settings *settings) {
    const bool longest = *chunk == WIRE_LONGEST_PREFIX;
    if (INKLING_LORA_IMPLICIT) {
        *chunk = longest ? INKLING_LORA_CHUNK : *chunk;
    } else if (longest) {
        const uint32_t left = duty_left_micros(&duty);
        *chunk = prefix_longest(&inkling_model, settings, left < NODE_LONGEST_MICROS ? left : NODE_LONGEST_MICROS);
        if (*chunk == PREFIX_NONE) {
            const bool never = prefix_longest(&inkling_model, settings, NODE_LONGEST_MICROS) == PREFIX_NONE;
            return never ? WIRE_ERROR_BAD_ARGUMENT : WIRE_ERROR_AIR_TIME;
        }
    }
    if (*chunk >= inkling_model.chunk_count || (INKLING_LORA_IMPLICIT && *chunk != INKLING_LORA_CHUNK)) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    return prefix_packet_bytes(&inkling_model, *chunk) <= RADIO_MAX_BYTES ? WIRE_ERROR_NONE : WIRE_ERROR_BAD_ARGUMENT;
}

/* Compute the air time of a packet, and check the duty cycle and the radio. */
static enum wire_error prepare(size_t bytes, const struct radio_settings *settings, uint32_t *air_micros) {
    *air_micros = radio_air_time_micros(settings, bytes);
    if (*air_micros > NODE_LONGEST_MICROS) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    if (*air_micros > duty_left_micros(&duty)) {
        return WIRE_ERROR_AIR_TIME;
    }
    ready = ready || radio_start(settings); /* a radio that failed before may respond now */
    return ready ? WIRE_ERROR_NONE : WIRE_ERROR_RADIO;
}

/* Choose the chunk to send and prepare for it. */
static enum wire_error prepare_features(uint8_t *chunk, uint32_t *air_micros) {
    const struct radio_settings settings = lora_settings();
    duty_update(&duty, board_micros());
    const enum wire_error error = choose(chunk, &settings);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    return prepare(prefix_packet_bytes(&inkling_model, *chunk), &settings, air_micros);
}

static enum wire_error prepare_answer(uint32_t *air_micros) {
    const struct radio_settings settings = lora_settings();
    duty_update(&duty, board_micros());
    if (INKLING_LORA_IMPLICIT && INKLING_LORA_CHUNK != WIRE_ANSWER) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    return prepare(WIRE_HEADER_BYTES, &settings, air_micros);
}

enum wire_error node_check_features(uint8_t chunk) {
    uint32_t air_micros;
    return prepare_features(&chunk, &air_micros);
}

enum wire_error node_check_answer(void) {
    uint32_t air_micros;
    return prepare_answer(&air_micros);
}

/* Send the packet and report it. chunk: the one in the packet, or WIRE_ANSWER. */
static enum wire_error transmit(size_t length, uint8_t chunk, uint32_t air_micros, struct send_result *result) {
    result->ready_cycles = board_cycles();
    duty_take(&duty, air_micros); /* before the result: a radio that reports a failure may have sent */
    ready = radio_send(packet, length);
    if (!ready) {
        return WIRE_ERROR_RADIO;
    }
    duty_update(&duty, board_micros());
    result->by_radio = (struct wire_radio_report){
        .chunk = chunk,
        .air_micros = air_micros,
        .left_micros = duty_left_micros(&duty),
    };
    return WIRE_ERROR_NONE;
}

enum wire_error node_send_features(uint8_t sequence, uint8_t chunk, const int8_t *outputs, struct send_result *result) {
    uint32_t air_micros;
    const enum wire_error error = prepare_features(&chunk, &air_micros);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const struct wire_result frame =
        wire_feature_frame(packet, sizeof packet, &inkling_model, line_device, sequence & 31u, chunk, outputs, false);
    return transmit(frame.length, chunk, air_micros, result);
}

enum wire_error node_send_answer(uint8_t sequence, struct wire_answer answer, struct send_result *result) {
    uint32_t air_micros;
    const enum wire_error error = prepare_answer(&air_micros);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const struct wire_result frame =
        wire_answer_frame(packet, sizeof packet, &inkling_model, line_device, sequence & 31u, answer, false);
    return transmit(frame.length, WIRE_ANSWER, air_micros, result);
}

#endif
