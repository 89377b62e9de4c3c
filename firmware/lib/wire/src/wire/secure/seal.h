/* Sealed commands: commands with a counter and a tag, which only a host with the device key can make. */
#ifndef INKLING_WIRE_SEAL_H
#define INKLING_WIRE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/parser.h"
#include "wire/reply.h"
#include "wire/secure/secured.h"

#define WIRE_NOT_AUTHENTIC_BYTES (WIRE_ERROR_BYTES + 4u)

#ifdef __cplusplus
extern "C" {
#endif

/* Return true if the parser's command is sealed for this board and for `counter`, the counter of its next image.
 * Call it on WIRE_EVENT_COMMAND, before the next byte. The opcode of a sealed command has WIRE_SEALED_BIT set. */
bool wire_seal_check(const struct wire_parser *parser, const struct wire_keys *keys, uint32_t counter);

/* Write the data of the ERROR that refuses a command without a valid seal. counter: of the next image. */
void wire_not_authentic_write(uint8_t data[WIRE_NOT_AUTHENTIC_BYTES], uint8_t failed_opcode, uint32_t counter);

#ifdef __cplusplus
}
#endif

#endif
