/* Secured status frames: a status that only a board with the device key can report. */
#ifndef INKLING_WIRE_SECURED_STATUS_H
#define INKLING_WIRE_SECURED_STATUS_H

#include <stdint.h>

#include "wire/secure/secured.h"
#include "wire/status.h"

#define WIRE_STATUS_TAG_BYTES 8u
#define WIRE_SECURED_STATUS_BYTES (WIRE_STATUS_BYTES + WIRE_STATUS_TAG_BYTES)

#ifdef __cplusplus
extern "C" {
#endif

/* Write the tag behind the data of a status. The opcode of its frame has WIRE_SEALED_BIT set. */
void wire_status_add_tag(uint8_t data[WIRE_SECURED_STATUS_BYTES], const struct wire_keys *keys, uint8_t device,
                         uint32_t model_number);

#ifdef __cplusplus
}
#endif

#endif
