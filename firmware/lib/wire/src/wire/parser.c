#include "wire/parser.h"

#include <string.h>

#include "wire/crc.h"
#include "wire/frame.h"

enum { HUNT, HEADER, FIXED, DATA, CHECK };

#define FIXED_BYTES 4u /* length, opcode, request */
#define CHECK_BYTES 4u

static void enter(struct wire_parser *p, uint8_t state) {
    p->state = state;
    p->count = 0;
    p->window = 0;
}

void wire_parser_reset(struct wire_parser *p) {
    enter(p, HUNT);
    p->foreign = 0;
    p->sealed = 0;
    p->opcode = 0;
    p->request = 0;
    p->error = WIRE_ERROR_NONE;
    p->length = 0;
}

void wire_parser_init(struct wire_parser *p, uint8_t device, uint8_t *body, size_t body_capacity) {
    memset(p, 0, sizeof *p);
    p->body = body;
    p->body_capacity = body_capacity;
    p->device = device;
    wire_parser_reset(p);
}

bool wire_parser_idle(const struct wire_parser *p) {
    return p->state == HUNT || p->foreign;
}

bool wire_parser_is_sealed(const struct wire_parser *p) {
    return p->sealed;
}

/* Return the number of data bytes and of those of a seal. */
static uint32_t full_length(const struct wire_parser *p) {
    return p->length + (p->sealed ? WIRE_SEAL_BYTES : 0u);
}

uint32_t wire_parser_limit_ms(const struct wire_parser *p) {
    return WIRE_COMMAND_MS + WIRE_BYTE_MS * full_length(p);
}

uint16_t wire_parser_max_data(const struct wire_parser *p) {
    const size_t limit = 0xFFFFu;
    return (uint16_t)(p->body_capacity < limit - WIRE_HEAD_BYTES ? p->body_capacity + WIRE_HEAD_BYTES : limit);
}

/* End a command with an error; silently if it is for another board. */
static enum wire_event fail(struct wire_parser *p, uint8_t error) {
    enter(p, HUNT);
    p->error = error;
    return p->foreign ? WIRE_EVENT_NONE : WIRE_EVENT_ERROR;
}

static void hunt(struct wire_parser *p, uint8_t byte) {
    p->window = p->window << 8 | byte;
    if (p->window == WIRE_SYNC) {
        wire_parser_reset(p);
        enter(p, HEADER);
        p->begun++;
    }
}

/* A false header may contain the start of a sync, so its bytes are searched again. They are too few for a sync and a
 * header, so this cannot cause an event. */
static void hunt_again(struct wire_parser *p) {
    uint8_t bytes[WIRE_HEADER_BYTES];
    memcpy(bytes, p->field, sizeof bytes);
    enter(p, HUNT);
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (p->state == HUNT) {
            hunt(p, bytes[i]);
        } else {
            p->field[p->count++] = bytes[i];
        }
    }
}

/* Return true if a damaged or truncated header begins, as received, like that of a command for this board. Otherwise
 * every board on a line would report the same fault at the same time. */
static bool names_this_board(const struct wire_parser *p, uint32_t received) {
    const uint32_t start = (uint32_t)p->field[0] << 8 | p->field[1];
    const uint32_t device = start >> 6 & 255u;
    return received >= 2u && start >> 14 == WIRE_COMMAND && (device == p->device || device == WIRE_ANY_DEVICE);
}

static enum wire_event take_header(struct wire_parser *p) {
    const uint32_t word = (uint32_t)p->field[0] << 16 | (uint32_t)p->field[1] << 8 | p->field[2];
    uint8_t expected[WIRE_HEADER_BYTES];
    wire_bch_encode(word, expected);
    uint64_t answer;
    if (wire_bch_read_answer(p->field, &answer) && answer >> 34 == WIRE_ANSWER_FRAME) {
        enter(p, HUNT); /* another board's answer, or an echo of our own */
        return WIRE_EVENT_NONE;
    }
    if (memcmp(expected, p->field, sizeof expected) != 0) {
        const bool named = names_this_board(p, WIRE_HEADER_BYTES);
        hunt_again(p);
        p->error = WIRE_ERROR_BAD_HEADER;
        return named ? WIRE_EVENT_ERROR : WIRE_EVENT_NONE;
    }
    if (word >> 22 != WIRE_COMMAND) {
        enter(p, HUNT); /* another board's frame, or an echo of our own: replying could loop forever */
        return WIRE_EVENT_NONE;
    }
    const uint32_t device = word >> 14 & 255u;
    p->foreign = device != p->device && device != WIRE_ANY_DEVICE;
    p->crc = wire_crc32(0, p->field, WIRE_HEADER_BYTES);
    enter(p, FIXED);
    return WIRE_EVENT_NONE;
}

static enum wire_event take_fixed(struct wire_parser *p) {
    p->length = (uint16_t)(p->field[0] << 8 | p->field[1]);
    p->opcode = p->field[2];
    p->request = p->field[3];
    p->crc = wire_crc32(p->crc, p->field, FIXED_BYTES);
    p->sealed = (p->opcode & (WIRE_REPLY_BIT | WIRE_SEALED_BIT)) == WIRE_SEALED_BIT && p->length >= WIRE_SEAL_BYTES;
    if (p->sealed) {
        p->length = (uint16_t)(p->length - WIRE_SEAL_BYTES);
    }
    if (!p->foreign && p->length > wire_parser_max_data(p)) {
        return fail(p, WIRE_ERROR_TOO_LONG);
    }
    enter(p, full_length(p) > 0 ? DATA : CHECK);
    return WIRE_EVENT_NONE;
}

static void take_data(struct wire_parser *p, uint8_t byte) {
    if (!p->foreign) {
        if (p->count >= p->length) {
            p->seal[p->count - p->length] = byte;
        } else if (p->count < WIRE_HEAD_BYTES) {
            p->head[p->count] = byte;
        } else {
            p->body[p->count - WIRE_HEAD_BYTES] = byte;
        }
    }
    p->crc = wire_crc32(p->crc, &byte, 1);
    p->count++;
    if (p->count == full_length(p)) {
        enter(p, CHECK);
    }
}

static enum wire_event take_check(struct wire_parser *p) {
    const uint8_t *f = p->field;
    const uint32_t sent = (uint32_t)f[0] << 24 | (uint32_t)f[1] << 16 | (uint32_t)f[2] << 8 | f[3];
    if (sent != p->crc) {
        return fail(p, WIRE_ERROR_BAD_CRC);
    }
    enter(p, HUNT);
    return p->foreign ? WIRE_EVENT_NONE : WIRE_EVENT_COMMAND;
}

enum wire_event wire_parser_push(struct wire_parser *p, uint8_t byte) {
    if (p->state == HUNT) {
        hunt(p, byte);
        return WIRE_EVENT_NONE;
    }
    if (p->state == DATA) {
        take_data(p, byte);
        return WIRE_EVENT_NONE;
    }
    p->field[p->count++] = byte;
    if (p->state == HEADER && p->count == WIRE_HEADER_BYTES) {
        return take_header(p);
    }
    if (p->state == FIXED && p->count == FIXED_BYTES) {
        return take_fixed(p);
    }
    if (p->state == CHECK && p->count == CHECK_BYTES) {
        return take_check(p);
    }
    return WIRE_EVENT_NONE;
}

/* A command for this board ends where it needs no more bytes to be reported. */
enum wire_event wire_parser_skip(struct wire_parser *p, uint8_t byte) {
    const bool known = p->state == DATA || p->state == CHECK;
    return known && !p->foreign ? WIRE_EVENT_NONE : wire_parser_push(p, byte);
}

/* End a partial command. */
static enum wire_event end(struct wire_parser *p, uint8_t error) {
    if (p->state == HUNT) {
        return WIRE_EVENT_NONE;
    }
    if (p->state == HEADER) {
        p->foreign = !names_this_board(p, p->count);
    }
    return fail(p, error);
}

enum wire_event wire_parser_timeout(struct wire_parser *p) {
    return end(p, WIRE_ERROR_TIMEOUT);
}

enum wire_event wire_parser_overrun(struct wire_parser *p) {
    p->window = 0; /* a sync does not continue behind the gap */
    return end(p, WIRE_ERROR_OVERRUN);
}
