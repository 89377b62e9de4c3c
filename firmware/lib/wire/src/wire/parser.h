/* Commands out of a stream of bytes, one byte at a time. The parser hunts for an exact sync, takes a header
 * only when re-encoding its 24 bits gives all 64, and a command only with its CRC-32. What is not a command,
 * or is one for another device, passes without a word. After any error it hunts again. */
#ifndef INKLING_WIRE_PARSER_H
#define INKLING_WIRE_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/bch.h"
#include "wire/control.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_HEAD_BYTES 2u

enum wire_event { WIRE_EVENT_NONE = 0, WIRE_EVENT_COMMAND = 1, WIRE_EVENT_ERROR = 2 };

struct wire_parser {
    /* The command (or what is known of the failed one), valid from an event to the next byte. */
    uint8_t opcode; /* 0 while unknown */
    uint8_t request;
    uint8_t error;                 /* enum wire_error, for WIRE_EVENT_ERROR */
    uint8_t head[WIRE_HEAD_BYTES]; /* data bytes 0 and 1 (of RUN: flags and chunk) */
    uint16_t length;               /* data bytes, those in head included */

    /* Private. */
    uint8_t *body;
    size_t body_capacity;
    uint32_t crc;
    uint32_t window;
    uint32_t count;
    uint8_t field[WIRE_HEADER_BYTES];
    uint8_t state;
    uint8_t device;
    uint8_t foreign;
};

/* Data bytes from number 2 on go to `body` (the encoder's input buffer; any alignment), the first two to
 * `head`, so that a command of up to two data bytes leaves the body alone. device: this board's own number,
 * 0..254. */
void wire_parser_init(struct wire_parser *parser, uint8_t device, uint8_t *body, size_t body_capacity);

/* The next byte of the line. */
enum wire_event wire_parser_push(struct wire_parser *parser, uint8_t byte);

/* The line was silent for WIRE_TIMEOUT_MS: gives up on a command that has begun. Further calls do nothing. */
enum wire_event wire_parser_silence(struct wire_parser *parser);

/* Received bytes were lost before they could be pushed: gives up on everything so far. */
enum wire_event wire_parser_overrun(struct wire_parser *parser);

/* Whether no command has begun, so that `body` is the caller's until the next byte. */
bool wire_parser_idle(const struct wire_parser *parser);

/* Forgets everything so far, without an event. */
void wire_parser_reset(struct wire_parser *parser);

/* The most data bytes that a command may carry here, as INFO tells it. */
uint16_t wire_parser_max_data(const struct wire_parser *parser);

#ifdef __cplusplus
}
#endif

#endif
