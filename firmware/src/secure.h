/* The device key at work: secured frames and status frames, sealed commands. Without a key, all of it is plain. */
#ifndef INKLING_SECURE_H
#define INKLING_SECURE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/answer.h"
#include "wire/frame.h"
#include "wire/parser.h"
#include "wire/secure/secured_status.h"

/* Load the device key. Call after counter_start(). */
void secure_start(void);

/* Return true if the board has a key. */
bool secure_has_key(void);

/* Set the device key. Returns WIRE_ERROR_NONE, or _MEMORY if the permanent memory has failed. */
enum wire_error secure_set_key(const uint8_t key[WIRE_KEY_BYTES]);

/* Open a sealed command: its opcode becomes that of the command. Returns WIRE_ERROR_NONE if the command may be
 * executed, _NOT_AUTHENTIC or _BAD_LENGTH if a key refuses it, or _MEMORY if no counter is left for its image. The
 * counter of an admitted RUN or CAPTURE is used up. */
enum wire_error secure_admit(struct wire_parser *command);

/* Return the number of the image for an admitted RUN or CAPTURE: its counter, or, without a key, the request. */
uint32_t secure_reply_number(uint8_t request);

/* Get the number of the next unsolicited image; counter_advance() uses it up. Returns WIRE_ERROR_NONE, or _MEMORY if a
 * key forbids to send it. */
enum wire_error secure_next_number(uint32_t *number);

/* Write a frame, secured if the board has a key. number: of the image, a counter; plain frames carry its low 5 bits.
 * Otherwise as wire_feature_frame() and wire_answer_frame(). */
struct wire_result secure_feature_frame(uint8_t *out, size_t capacity, uint32_t number, uint8_t chunk,
                                        const int8_t *outputs, bool sync);
struct wire_result secure_answer_frame(uint8_t *out, size_t capacity, uint32_t number, struct wire_answer answer,
                                       bool sync);

/* Return the bytes by which a feature frame is longer than a plain one: 0 without a key. */
size_t secure_extra_bytes(void);

/* Return the bytes of an answer's packet. */
size_t secure_answer_bytes(void);

/* Return the data bytes of a status frame. */
size_t secure_status_bytes(void);

/* Write a status frame's tag behind its data, if the board has a key. */
void secure_status(uint8_t data[WIRE_SECURED_STATUS_BYTES]);

/* Return the opcode of a status frame, without WIRE_REPLY_BIT. */
uint8_t secure_status_opcode(void);

#endif
