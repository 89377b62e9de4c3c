/* Secured frames: feature and answer frames with tags, their content encrypted. docs/SPEC.md defines the bytes. */
#ifndef INKLING_WIRE_SECURED_H
#define INKLING_WIRE_SECURED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"
#include "wire/secure/aes.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WIRE_HEADER_TAG_BYTES 8u
#define WIRE_PAYLOAD_TAG_BYTES 4u

/* Bytes of a secured feature frame and of a secured answer frame, with sync. */
#define WIRE_SECURED_FEATURE_BYTES(class_count, count, bits) \
    (WIRE_SYNC_BYTES + WIRE_HEADER_BYTES + WIRE_HEADER_TAG_BYTES + WIRE_PAYLOAD_BYTES(class_count, count, bits) + \
     WIRE_PAYLOAD_TAG_BYTES)
#define WIRE_SECURED_ANSWER_BYTES (WIRE_SYNC_BYTES + WIRE_HEADER_BYTES + WIRE_HEADER_TAG_BYTES)

/* First byte of each block that a key is used on: no two uses share a block. */
enum wire_purpose {
    WIRE_TAG_HEADER = 1,
    WIRE_TAG_PAYLOAD = 2,
    WIRE_TAG_ANSWER = 3,
    WIRE_TAG_COMMAND = 4,
    WIRE_STREAM_PAYLOAD = 5,
    WIRE_STREAM_ANSWER = 6,
    WIRE_TAG_STATUS = 7
};

/* The keys that a device key stands for. */
struct wire_keys {
    uint8_t encryption[WIRE_KEY_BYTES];
    uint8_t authentication[WIRE_KEY_BYTES];
};

/* Derive the keys from the device key. */
void wire_keys_derive(struct wire_keys *keys, const uint8_t device_key[WIRE_KEY_BYTES]);

/* The board, and the image that it sends. A counter must never be used for two images under one device key. */
struct wire_secured {
    const struct wire_model *model;
    const struct wire_keys *keys;
    uint8_t device;
    uint32_t counter; /* its low 5 bits are the frame's sequence */
};

/* Write a secured feature frame. outputs and sync are as for wire_feature_frame(). */
struct wire_result wire_secured_feature_frame(uint8_t *out, size_t capacity, const struct wire_secured *secured,
                                              uint8_t chunk, const int8_t *outputs, bool sync);

/* Write a secured answer frame, in the same way. */
struct wire_result wire_secured_answer_frame(uint8_t *out, size_t capacity, const struct wire_secured *secured,
                                             struct wire_answer answer, bool sync);

#ifdef __cplusplus
}
#endif

#endif
