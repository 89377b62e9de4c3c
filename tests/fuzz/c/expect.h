/* Expected answers to whole commands: their semantics, modes and seals, as docs/SPEC.md has them. */
#ifndef INKLING_FUZZ_EXPECT_H
#define INKLING_FUZZ_EXPECT_H

#include <stddef.h>
#include <stdint.h>

/* Forget the mode. */
void expect_start(void);

/* Return the most data bytes of a command for which the board has room. length: of the command at hand. */
size_t expect_max_data(uint8_t opcode, size_t length);

/* Check the board's answer to a command. */
void expect_reply(uint8_t opcode, uint8_t request, const uint8_t *data, size_t length);

/* Check that the encoder's input has no bytes of a key, after a command with this opcode and length. */
void expect_wiped(uint8_t opcode, size_t length);

#endif
