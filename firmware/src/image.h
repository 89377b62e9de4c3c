/* What becomes of a picture: it is encoded, and a chunk of its latent goes out. */
#ifndef INKLING_IMAGE_H
#define INKLING_IMAGE_H

#include "wire/parser.h"

/* When the work on a picture began, by both of the board's clocks. */
struct image_start {
    uint32_t micros;
    uint32_t cycles;
};

/* Pixels (0..255) in the encoder's input become int8 = pixel - 128 where they are, as the encoder takes them. */
void image_to_int8(void);

/* The work on the picture in the encoder's input begins: the time is taken, and its pixels become int8. */
struct image_start image_begin(void);

/* Whether flags and chunk, the two bytes at the head of a RUN, ask for what this board can do. */
enum wire_error image_check(const struct wire_parser *command);

/* Encodes the picture in the encoder's input, int8, and answers the command. Returns the error that stands in the way,
 * or WIRE_ERROR_NONE. */
enum wire_error image_answer(const struct wire_parser *command, struct image_start start);

#endif
