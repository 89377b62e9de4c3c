/* Parser of the commands in a byte stream. It searches for an exact sync, accepts a header only if re-encoding its 24
 * bits gives all 64, and a command only with a correct CRC-32. Other frames, commands for other devices and damaged
 * headers that do not name this board are skipped silently. After an error it searches again. */
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
    /* The command, or what is known of a failed one; valid from an event to the next byte. */
    uint8_t opcode; /* 0 while unknown */
    uint8_t request;
    uint8_t error;                 /* enum wire_error, for WIRE_EVENT_ERROR */
    uint8_t head[WIRE_HEAD_BYTES]; /* data bytes 0 and 1; in RUN: flags and chunk */
    uint16_t length;               /* number of data bytes, with those in head, without a seal; 0 while unknown */
    uint8_t seal[WIRE_SEAL_BYTES]; /* of a sealed command: wire_parser_is_sealed() */
    uint32_t begun;                /* syncs found so far; wraps */

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
    uint8_t sealed;
};

/* Initialise the parser. Data bytes from number 2 on go to `body` (the encoder's input buffer; any alignment), the
 * first two to `head`: commands with up to two data bytes leave `body` unchanged. device: this board's number, 0..254.
 */
void wire_parser_init(struct wire_parser *parser, uint8_t device, uint8_t *body, size_t body_capacity);

/* Return true if the last WIRE_SEAL_BYTES data bytes of the command are its seal: its opcode has WIRE_SEALED_BIT, and
 * it is long enough. */
bool wire_parser_is_sealed(const struct wire_parser *parser);

/* Process the next byte of the line. */
enum wire_event wire_parser_push(struct wire_parser *parser, uint8_t byte);

/* Report that the line was silent for WIRE_TIMEOUT_MS, or that the command has taken longer than
 * wire_parser_limit_ms(): ends a partial command. Further calls have no effect. */
enum wire_event wire_parser_timeout(struct wire_parser *parser);

/* Return the time in milliseconds in which a partial command has to be complete, counted from its sync. */
uint32_t wire_parser_limit_ms(const struct wire_parser *parser);

/* Process, in place of wire_parser_push(), a byte that was received before bytes were lost and is to be dropped: finds
 * out whether a command for this board has begun. `body` is left alone. */
enum wire_event wire_parser_skip(struct wire_parser *parser, uint8_t byte);

/* Report that bytes were lost after the last one: ends a partial command. An error only if that is for this board. */
enum wire_event wire_parser_overrun(struct wire_parser *parser);

/* Return true if no command that may be for this board has begun; `body` is then the caller's until the next byte. */
bool wire_parser_idle(const struct wire_parser *parser);

/* Drop everything so far, without an event. */
void wire_parser_reset(struct wire_parser *parser);

/* Return the maximum number of data bytes per command, as INFO reports it. */
uint16_t wire_parser_max_data(const struct wire_parser *parser);

#ifdef __cplusplus
}
#endif

#endif
