/* Execution of the commands INFO, RUN, BENCH, CAPTURE, PIXELS, MODE and KEY. */
#ifndef INKLING_COMMANDS_H
#define INKLING_COMMANDS_H

#include "wire/parser.h"

/* encoder_error: the result of encoder_start(). If it is an error, commands that need the encoder fail with it. */
void commands_start(enum wire_error encoder_error);

/* Execute the command that the parser holds and send its answer. Returns WIRE_ERROR_NONE, or the error, for which
 * nothing is sent. The pixels of RUN are in the encoder's input already. */
enum wire_error command_execute(const struct wire_parser *command);

/* Remove a device key from the encoder's input, after a command KEY, executed or not. */
void commands_wipe(const struct wire_parser *command);

#endif
