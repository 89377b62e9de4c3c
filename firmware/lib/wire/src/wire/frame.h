/* Sync word, frame header, the feature frame, which carries one chunk, and the answer frame, which is only a header.
 * docs/SPEC.md defines the bytes. */
#ifndef INKLING_WIRE_FRAME_H
#define INKLING_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/answer.h"
#include "wire/bch.h"
#include "wire/payload.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_VERSION 1u
#define WIRE_SYNC 0x1ACFFC1Du
#define WIRE_SYNC_BYTES 4u
#define WIRE_CRC16_BYTES 2u
#define WIRE_ANY_DEVICE 255u

enum wire_type { WIRE_FEATURE = 0, WIRE_REPLY = 1, WIRE_COMMAND = 2, WIRE_ANSWER_FRAME = 3 };

/* Flags, may be combined. */
enum wire_status {
    WIRE_OK = 0,
    WIRE_NO_ROOM = 1,  /* the buffer is too small */
    WIRE_BAD_FIELD = 2 /* a field is out of range, or the model has no such chunk or class */
};

/* Result of writing a frame. On an error nothing is written and length is 0. */
struct wire_result {
    size_t length;  /* bytes written */
    uint8_t status; /* enum wire_status */
};

/* Return the 24 bits of a header, of any frame but an answer. The fields must fit into 2, 8, 5, 5 and 4 bits. */
static inline uint32_t wire_header_word(uint32_t type, uint32_t device, uint32_t sequence, uint32_t model,
                                        uint32_t chunk) {
    return type << 22 | device << 14 | sequence << 9 | model << 4 | chunk;
}

/* Bytes of a feature frame and of an answer frame, with sync. */
#define WIRE_FEATURE_BYTES(class_count, count, bits) \
    (WIRE_SYNC_BYTES + WIRE_HEADER_BYTES + WIRE_PAYLOAD_BYTES(class_count, count, bits) + WIRE_CRC16_BYTES)
#define WIRE_ANSWER_BYTES (WIRE_SYNC_BYTES + WIRE_HEADER_BYTES)

/* Write a feature frame. sequence: 0..31; outputs: of the encoder, latent values and scores; sync: false for LoRa,
 * whose packets need none. */
struct wire_result wire_feature_frame(uint8_t *out, size_t capacity, const struct wire_model *model, uint8_t device,
                                      uint8_t sequence, uint8_t chunk, const int8_t *outputs, bool sync);

/* Write an answer frame, in the same way. */
struct wire_result wire_answer_frame(uint8_t *out, size_t capacity, const struct wire_model *model, uint8_t device,
                                     uint8_t sequence, struct wire_answer answer, bool sync);

#ifdef __cplusplus
}
#endif

#endif
