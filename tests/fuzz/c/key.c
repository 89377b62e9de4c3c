#include "key.h"

#include <string.h>

#include "encoder.h"
#include "line.h"
#include "reference.h"
#include "reference_aes.h"

#define BLOCK 112u

static enum { NONE, VOLATILE, PERMANENT, LOST } state;
static bool works; /* the permanent memory */
static unsigned writes_left;
static uint32_t limit;
static uint32_t counter;
static uint8_t encryption[AES_BYTES];
static uint8_t authentication[AES_BYTES];

static bool reserve(void) {
    works = works && writes_left > 0u;
    writes_left -= works;
    limit += works ? BLOCK : 0u;
    return works;
}

void key_start(unsigned writes) {
    state = NONE;
    works = true;
    writes_left = writes;
    limit = counter = 0;
    reserve(); /* the boot */
}

bool key_is_set(void) {
    return state != NONE;
}

bool key_is_lost(void) {
    return state == LOST;
}

uint32_t key_counter(void) {
    return counter;
}

uint8_t key_flags(void) {
    return state == NONE ? 0u : state == VOLATILE ? 1u : 3u;
}

static void derive(const uint8_t key[AES_BYTES], const char *label, uint8_t derived[AES_BYTES]) {
    uint8_t fields[15] = {1};
    memcpy(fields + 1, label, 11);
    fields[14] = 0x80;
    reference_cmac(key, fields, sizeof fields, derived);
}

bool key_set(const uint8_t key[16]) {
    if (works) {
        const uint32_t from = limit;
        state = reserve() ? PERMANENT : LOST;
        counter = works ? from : counter;
    } else if (state == NONE) {
        state = VOLATILE;
    }
    derive(key, "inkling enc", encryption);
    derive(key, "inkling mac", authentication);
    return works || state == VOLATILE;
}

bool key_take(void) {
    if (works && counter == limit) {
        reserve();
    }
    counter++;
    return works || state == VOLATILE;
}

static uint8_t message[AES_BYTES + 0x10000u]; /* a block, and data */

/* Begin a block of purpose, device and counter. */
static void start(uint8_t purpose, uint32_t number) {
    memset(message, 0, AES_BYTES);
    message[0] = purpose;
    message[1] = INKLING_DEVICE;
    reference_put(message + 2, number, 4);
}

static void tag_with(uint8_t tag[AES_BYTES], const uint8_t *data, size_t length) {
    memcpy(message + AES_BYTES, data, length);
    reference_cmac(authentication, message, AES_BYTES + length, tag);
}

void key_seal(uint8_t seal[SEAL_BYTES], uint32_t number, uint8_t opcode, uint8_t request, const uint8_t *data,
              size_t length) {
    uint8_t tag[AES_BYTES];
    start(4, number);
    message[6] = opcode;
    message[7] = request;
    tag_with(tag, data, length);
    memcpy(reference_put(seal, number, 4), tag, 8);
}

void key_tag(uint8_t tag[16], uint8_t purpose, uint8_t chunk, uint64_t word, const uint8_t *data, size_t length) {
    start(purpose, counter - 1u);
    message[6] = chunk;
    reference_put(message + 7, word, 5);
    reference_put(message + 12, inkling_model.number, 4);
    tag_with(tag, data, length);
}

void key_encrypt(uint8_t purpose, uint8_t chunk, uint8_t *data, size_t length) {
    start(purpose, counter - 1u);
    message[6] = chunk;
    reference_ctr(encryption, message, data, length);
}
