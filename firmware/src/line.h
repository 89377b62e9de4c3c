/* Output on the serial line: each function sends one frame. */
#ifndef INKLING_LINE_H
#define INKLING_LINE_H

#include <stdint.h>

#include "wire/answer.h"
#include "wire/reply.h"

/* Device number of the board, 0..254. */
#ifndef INKLING_DEVICE
#define INKLING_DEVICE 1
#endif

/* The device number; a port may change it before app_start(). */
extern uint8_t line_device;

/* Send a chunk of the encoder's outputs, as secure_feature_frame() writes it. Returns board_cycles() when the frame was
 * ready to send. */
uint32_t line_send_feature(uint32_t number, uint8_t chunk, const int8_t *outputs);

/* Send an answer, in the same way. */
uint32_t line_send_answer(uint32_t number, struct wire_answer answer);

/* Send a reply. opcode: the command's. */
void line_send_reply(uint8_t request, uint8_t opcode, const uint8_t *data, size_t length);

/* Send the reply to PIXELS: the encoder's input, converted back from pixel - 128. */
void line_send_pixels(uint8_t request, const int8_t *input);

/* Send an ERROR. failed_opcode: the command's, 0 if unknown. WIRE_ERROR_NOT_AUTHENTIC names the counter of the next
 * image, too. */
void line_send_error(uint8_t request, uint8_t failed_opcode, uint8_t code);

#endif
