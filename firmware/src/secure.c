#include "secure.h"

#include <string.h>

#include "counter.h"
#include "encoder.h"
#include "line.h"
#include "wire/secure/seal.h"

_Static_assert(BOARD_KEY_BYTES == WIRE_KEY_BYTES, "the permanent memory keeps a device key");

static BOARD_RETAINED struct wire_keys keys; /* valid if has_keys() */
static uint32_t reply_number;

/* COUNTER_KEY_LOST: there is a key, but it cannot be used. */
static bool has_keys(void) {
    const enum counter_key state = counter_key();
    return state == COUNTER_KEY_VOLATILE || state == COUNTER_KEY_PERMANENT;
}

void secure_start(void) {
    if (board_woke() || counter_key() != COUNTER_KEY_PERMANENT) {
        return;
    }
    uint8_t key[WIRE_KEY_BYTES];
    counter_get_key(key);
    wire_keys_derive(&keys, key);
}

bool secure_has_key(void) {
    return counter_key() != COUNTER_NO_KEY;
}

enum wire_error secure_set_key(const uint8_t key[WIRE_KEY_BYTES]) {
    if (!counter_set_key(key)) {
        return WIRE_ERROR_MEMORY;
    }
    wire_keys_derive(&keys, key);
    return WIRE_ERROR_NONE;
}

/* Return true for commands that move images, or set a key. */
static bool needs_seal(const struct wire_parser *command) {
    const uint8_t opcode = command->opcode;
    return opcode == WIRE_RUN || opcode == WIRE_CAPTURE || opcode == WIRE_PIXELS ||
           (opcode == WIRE_KEY && command->length == WIRE_KEY_BYTES);
}

static enum wire_error open_seal(struct wire_parser *command) {
    if (!wire_parser_is_sealed(command)) {
        return WIRE_ERROR_BAD_LENGTH;
    }
    if (!has_keys()) {
        return WIRE_ERROR_MEMORY;
    }
    if (!wire_seal_check(command, &keys, counter_peek())) {
        return WIRE_ERROR_NOT_AUTHENTIC;
    }
    command->opcode = (uint8_t)(command->opcode & ~WIRE_SEALED_BIT);
    return WIRE_ERROR_NONE;
}

enum wire_error secure_admit(struct wire_parser *command) {
    if (!secure_has_key()) {
        return WIRE_ERROR_NONE;
    }
    if ((command->opcode & (WIRE_REPLY_BIT | WIRE_SEALED_BIT)) != WIRE_SEALED_BIT) {
        return needs_seal(command) ? WIRE_ERROR_NOT_AUTHENTIC : WIRE_ERROR_NONE;
    }
    enum wire_error error = open_seal(command);
    if (error == WIRE_ERROR_NONE && (command->opcode == WIRE_RUN || command->opcode == WIRE_CAPTURE)) {
        error = secure_next_number(&reply_number);
        counter_advance();
    }
    return error;
}

uint32_t secure_reply_number(uint8_t request) {
    return secure_has_key() ? reply_number : request;
}

enum wire_error secure_next_number(uint32_t *number) {
    const bool unique = counter_next(number);
    return unique || !secure_has_key() ? WIRE_ERROR_NONE : WIRE_ERROR_MEMORY;
}

static struct wire_secured secured(uint32_t number) {
    return (struct wire_secured){&inkling_model, &keys, line_device, number};
}

struct wire_result secure_feature_frame(uint8_t *out, size_t capacity, uint32_t number, uint8_t chunk,
                                        const int8_t *outputs, bool sync) {
    if (!secure_has_key()) {
        return wire_feature_frame(out, capacity, &inkling_model, line_device, number & 31u, chunk, outputs, sync);
    }
    const struct wire_secured image = secured(number);
    return wire_secured_feature_frame(out, capacity, &image, chunk, outputs, sync);
}

struct wire_result secure_answer_frame(uint8_t *out, size_t capacity, uint32_t number, struct wire_answer answer,
                                       bool sync) {
    if (!secure_has_key()) {
        return wire_answer_frame(out, capacity, &inkling_model, line_device, number & 31u, answer, sync);
    }
    const struct wire_secured image = secured(number);
    return wire_secured_answer_frame(out, capacity, &image, answer, sync);
}

size_t secure_extra_bytes(void) {
    return secure_has_key() ? WIRE_HEADER_TAG_BYTES + WIRE_PAYLOAD_TAG_BYTES - WIRE_CRC16_BYTES : 0u;
}

size_t secure_answer_bytes(void) {
    return WIRE_HEADER_BYTES + (secure_has_key() ? WIRE_HEADER_TAG_BYTES : 0u);
}

size_t secure_status_bytes(void) {
    return has_keys() ? WIRE_SECURED_STATUS_BYTES : WIRE_STATUS_BYTES;
}

void secure_status(uint8_t data[WIRE_SECURED_STATUS_BYTES]) {
    if (has_keys()) {
        wire_status_add_tag(data, &keys, line_device, inkling_model.number);
    }
}

uint8_t secure_status_opcode(void) {
    return WIRE_STATUS | (has_keys() ? WIRE_SEALED_BIT : 0u);
}
