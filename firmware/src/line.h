/* What the board says: each call puts one frame on the serial line. */
#ifndef INKLING_LINE_H
#define INKLING_LINE_H

#include <stdint.h>

#include "wire/reply.h"

/* This board's number, 0..254. */
#ifndef INKLING_DEVICE
#define INKLING_DEVICE 1
#endif

/* The same, unless the port is told another one at its start, before app_start(). */
extern uint8_t line_device;

/* Sends a chunk of the latent; request mod 32 becomes the frame's sequence number. Returns the CPU's count of
 * cycles when the frame was ready to go. */
uint32_t line_send_feature(uint8_t request, uint8_t chunk, const int8_t *latent);

/* opcode: the command's. */
void line_send_reply(uint8_t request, uint8_t opcode, const uint8_t *data, size_t length);

/* Answers PIXELS with the encoder's input, which holds pixel - 128. */
void line_send_pixels(uint8_t request, const int8_t *input);

/* failed_opcode: the command's, 0 when it is not known. */
void line_send_error(uint8_t request, uint8_t failed_opcode, uint8_t code);

#endif
