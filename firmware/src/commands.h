/* What the board does when it is asked: INFO, RUN, BENCH, CAPTURE, PIXELS. */
#ifndef INKLING_COMMANDS_H
#define INKLING_COMMANDS_H

#include "wire/parser.h"

/* encoder: what encoder_start() found. While it is an error, commands that need the encoder get that for an answer. */
void commands_start(enum wire_error encoder);

/* Carries out the command that the parser holds, and sends its answer. Returns the error that stands in the way
 * (nothing is sent then), or WIRE_ERROR_NONE. The data of RUN lies in the encoder's input from byte 2 on. */
enum wire_error command_execute(const struct wire_parser *command);

#endif
