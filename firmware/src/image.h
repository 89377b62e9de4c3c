/* Encoding of one image, and the reply to its command: features or the board's answer, and the cost. */
#ifndef INKLING_IMAGE_H
#define INKLING_IMAGE_H

#include "wire/parser.h"

/* Start of the work on an image, by both of the board's clocks. */
struct image_start {
    uint32_t micros;
    uint32_t cycles;
};

/* Convert the pixels (0..255) in the encoder's input to int8 = pixel - 128, in place. */
void image_to_int8(void);

/* Start the work on the image in the encoder's input: take the time and convert the pixels. */
struct image_start image_begin(void);

/* Check the flags and chunk of a RUN or CAPTURE, its first two bytes. */
enum wire_error image_check(const struct wire_parser *command);

/* Encode the converted image in the encoder's input and reply to the command. Returns WIRE_ERROR_NONE or the error. */
enum wire_error image_reply(const struct wire_parser *command, struct image_start start);

#endif
