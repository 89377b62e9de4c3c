#include "node.h"

#if INKLING_RADIO && !INKLING_GATEWAY

#include <string.h>

#include "air_time.h"
#include "board.h"
#include "duty.h"
#include "encoder.h"
#include "line.h"
#include "lora.h"
#include "prefix.h"
#include "secure.h"
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

void node_restart(void) {
    ready = false;
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

static size_t chunk_bytes(uint8_t chunk) {
    return prefix_packet_bytes(&inkling_model, chunk, secure_extra_bytes());
}

static uint8_t longest_prefix(const struct radio_settings *settings, uint32_t max_micros) {
    return prefix_longest(&inkling_model, settings, secure_extra_bytes(), max_micros);
}

/* Replace WIRE_LONGEST_PREFIX by the chunk to send now, and check the chunk. */
static enum wire_error choose(uint8_t *chunk, const struct radio_settings *settings) {
    const bool longest = *chunk == WIRE_LONGEST_PREFIX;
    if (INKLING_LORA_IMPLICIT) {
        *chunk = longest ? INKLING_LORA_CHUNK : *chunk;
    } else if (longest) {
        const uint32_t left = duty_left_micros(&duty);
        *chunk = longest_prefix(settings, left < NODE_LONGEST_MICROS ? left : NODE_LONGEST_MICROS);
        if (*chunk == PREFIX_NONE) {
            const bool never = longest_prefix(settings, NODE_LONGEST_MICROS) == PREFIX_NONE;
            return never ? WIRE_ERROR_BAD_ARGUMENT : WIRE_ERROR_AIR_TIME;
        }
    }
    if (*chunk >= inkling_model.chunk_count || (INKLING_LORA_IMPLICIT && *chunk != INKLING_LORA_CHUNK)) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    return chunk_bytes(*chunk) <= RADIO_MAX_BYTES ? WIRE_ERROR_NONE : WIRE_ERROR_BAD_ARGUMENT;
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
    return prepare(chunk_bytes(*chunk), &settings, air_micros);
}

static enum wire_error prepare_answer(uint32_t *air_micros) {
    const struct radio_settings settings = lora_settings();
    duty_update(&duty, board_micros());
    if (INKLING_LORA_IMPLICIT && INKLING_LORA_CHUNK != WIRE_ANSWER) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    return prepare(secure_answer_bytes(), &settings, air_micros);
}

enum wire_error node_check_features(uint8_t chunk) {
    uint32_t air_micros;
    return prepare_features(&chunk, &air_micros);
}

enum wire_error node_check_answer(void) {
    uint32_t air_micros;
    return prepare_answer(&air_micros);
}

static enum wire_error send(size_t length, uint32_t air_micros) {
    duty_take(&duty, air_micros); /* before the result: a radio that reports a failure may have sent */
    ready = radio_send(packet, length);
    return ready ? WIRE_ERROR_NONE : WIRE_ERROR_RADIO;
}

/* Send the packet and report it. chunk: the one in the packet, or WIRE_ANSWER. */
static enum wire_error transmit(size_t length, uint8_t chunk, uint32_t air_micros, struct send_result *result) {
    result->ready_cycles = board_cycles();
    const enum wire_error error = send(length, air_micros);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    duty_update(&duty, board_micros());
    result->by_radio = (struct wire_radio_report){
        .chunk = chunk,
        .air_micros = air_micros,
        .left_micros = duty_left_micros(&duty),
    };
    return WIRE_ERROR_NONE;
}

enum wire_error node_send_features(uint32_t number, uint8_t chunk, const int8_t *outputs, struct send_result *result) {
    uint32_t air_micros;
    const enum wire_error error = prepare_features(&chunk, &air_micros);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const struct wire_result frame = secure_feature_frame(packet, sizeof packet, number, chunk, outputs, false);
    return transmit(frame.length, chunk, air_micros, result);
}

enum wire_error node_send_answer(uint32_t number, struct wire_answer answer, struct send_result *result) {
    uint32_t air_micros;
    const enum wire_error error = prepare_answer(&air_micros);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const struct wire_result frame = secure_answer_frame(packet, sizeof packet, number, answer, false);
    return transmit(frame.length, WIRE_ANSWER, air_micros, result);
}

/* Return the length of a status packet; 0 if it does not fit. */
static size_t status_bytes(const struct radio_settings *settings) {
    const size_t bytes = WIRE_REPLY_BYTES(secure_status_bytes()) - WIRE_SYNC_BYTES;
    if (settings->implicit_bytes == 0u) {
        return bytes;
    }
    return settings->implicit_bytes >= bytes ? settings->implicit_bytes : 0u;
}

/* Return the air time of the longest image of which the duty cycle may ever allow this much. */
static uint32_t longest_image_micros(const struct radio_settings *settings, uint32_t max_micros) {
    if (settings->implicit_bytes != 0u) {
        return radio_air_time_micros(settings, settings->implicit_bytes);
    }
    const uint8_t chunk = longest_prefix(settings, max_micros);
    const size_t bytes = chunk == PREFIX_NONE ? secure_answer_bytes() : chunk_bytes(chunk);
    return radio_air_time_micros(settings, bytes);
}

/* Return the air time that must be left for a status frame and for an image after it. */
static uint32_t patient_micros(const struct radio_settings *settings, uint32_t status_micros) {
    const uint32_t full = duty_full_micros(&duty);
    const uint32_t rest = full > status_micros ? full - status_micros : 0u;
    const uint32_t image = longest_image_micros(settings, rest);
    return status_micros + (image < rest ? image : rest);
}

enum wire_error node_send_status(const uint8_t *data, bool patient) {
    const struct radio_settings settings = lora_settings();
    const size_t bytes = status_bytes(&settings);
    if (bytes == 0u) {
        return WIRE_ERROR_BAD_ARGUMENT;
    }
    duty_update(&duty, board_micros());
    if (patient && patient_micros(&settings, node_status_micros()) > duty_left_micros(&duty)) {
        return WIRE_ERROR_AIR_TIME;
    }
    uint32_t air_micros;
    const enum wire_error error = prepare(bytes, &settings, &air_micros);
    if (error != WIRE_ERROR_NONE) {
        return error;
    }
    const uint8_t opcode = secure_status_opcode() | WIRE_REPLY_BIT;
    const struct wire_result frame = wire_reply_frame(packet, sizeof packet, line_device, inkling_model.number, opcode,
                                                      0, data, secure_status_bytes());
    const size_t length = frame.length - WIRE_SYNC_BYTES;
    memmove(packet, packet + WIRE_SYNC_BYTES, length);
    memset(packet + length, 0, sizeof packet - length);
    return send(bytes, air_micros);
}

uint32_t node_status_micros(void) {
    const struct radio_settings settings = lora_settings();
    return radio_air_time_micros(&settings, status_bytes(&settings));
}

uint16_t node_air_left_cs(void) {
    const uint32_t left_cs = duty_left_micros(&duty) / 10000u;
    return INKLING_LORA_DUTY_PERMILLE >= 1000 || left_cs > WIRE_AIR_NOT_LIMITED ? WIRE_AIR_NOT_LIMITED
                                                                                : (uint16_t)left_cs;
}

#endif
