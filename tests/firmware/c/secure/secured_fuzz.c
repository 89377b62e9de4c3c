/* Test program: feeds the writers of secured frames and the check of sealed commands with a fixed pseudo-random stream,
 * under the sanitizers. Usage: secured_fuzz SECONDS. Every buffer is a heap block of its exact size, so the sanitizers
 * see any access outside. Prints the number of rounds; aborts on the first fault. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire/bytes.h"
#include "wire/crc.h"
#include "wire/secure/cmac.h"
#include "wire/secure/seal.h"

#define DEVICE 7u
#define MAX_DATA 80u

static uint32_t state = 2511;

/* Marsaglia's xorshift32. */
static uint32_t draw(uint32_t limit) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (state >> 8) % limit;
}

static void fill(uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)draw(256);
    }
}

static void require(int condition, const char *what, unsigned long round) {
    if (!condition) {
        fprintf(stderr, "round %lu: %s\n", round, what);
        abort();
    }
}

static void try_frames(const struct wire_keys *keys, unsigned long round) {
    uint8_t table[256];
    uint16_t weights[256];
    uint16_t order[64];
    fill(table, sizeof table);
    for (size_t i = 0; i < 256; i++) {
        weights[i] = (uint16_t)draw(1u << 15);
    }
    for (size_t i = 0; i < 64; i++) {
        order[i] = (uint16_t)draw(64);
    }
    const uint16_t classes = (uint16_t)(draw(2) * draw(40));
    int8_t *outputs = malloc(64u + classes);
    fill((uint8_t *)outputs, 64u + classes);
    const uint16_t first = (uint16_t)draw(32);
    const struct wire_chunk chunk = {first, (uint16_t)draw(65u - first)};
    const struct wire_model model = {
        .number = draw(1u << 20),
        .symbol_table = table,
        .symbol_order = order,
        .chunks = &chunk,
        .chunk_count = 1,
        .bits_per_symbol = (uint8_t)(1u + draw(8)),
        .class_count = classes,
        .latent_count = 64,
        .answer_weights = weights,
    };
    const struct wire_secured secured = {&model, keys, (uint8_t)draw(256), draw(1u << 20) << 12};
    const size_t capacity = draw(110);
    const bool sync = draw(2) == 0;
    uint8_t *out = malloc(capacity + !capacity);
    struct wire_result result = wire_secured_feature_frame(out, capacity, &secured, (uint8_t)draw(2), outputs, sync);
    require(result.length <= capacity && (result.length == 0) == (result.status != WIRE_OK), "feature frame", round);
    const struct wire_answer answer = {(uint16_t)draw(50), (uint8_t)draw(18)};
    result = wire_secured_answer_frame(out, capacity, &secured, answer, sync);
    require(result.length <= capacity && (result.length == 0) == (result.status != WIRE_OK), "answer frame", round);
    uint64_t word;
    require(result.length == 0 || wire_bch_read_answer(out + (sync ? 4 : 0), &word), "answer is a codeword", round);
    require(result.length == 0 || (word >> 9 & 0xFFFu) < classes, "class of the answer", round);
    free(out);
    free(outputs);
}

/* Write the seal of a command whose header and fixed fields are at `body`, by the library's CMAC. */
static void put_seal(const struct wire_keys *keys, const uint8_t *body, uint32_t length, uint32_t counter,
                     uint8_t *seal) {
    uint8_t block[WIRE_BLOCK_BYTES] = {WIRE_TAG_COMMAND, DEVICE};
    struct wire_cmac cmac;
    wire_put_u32(block + 2, counter);
    memcpy(block + 6, body + WIRE_HEADER_BYTES + 2, 2);
    wire_cmac_start(&cmac, keys->authentication);
    wire_cmac_update(&cmac, block, sizeof block);
    wire_cmac_update(&cmac, body + WIRE_HEADER_BYTES + 4, length);
    wire_cmac_finish(&cmac, block);
    memcpy(wire_put_u32(seal, counter), block, 8);
}

static void try_command(const struct wire_keys *keys, unsigned long round) {
    const size_t capacity = draw(MAX_DATA);
    const uint32_t length = draw((uint32_t)capacity + 6u), counter = draw(1u << 20);
    uint8_t *storage = malloc(capacity + !capacity);
    uint8_t *frame = malloc(WIRE_REPLY_BYTES(length + WIRE_SEAL_BYTES));
    struct wire_parser parser;
    wire_parser_init(&parser, DEVICE, storage, capacity);
    uint8_t *body = wire_put_u32(frame, WIRE_SYNC);
    wire_bch_encode(wire_header_word(WIRE_COMMAND, draw(2) ? DEVICE : WIRE_ANY_DEVICE, 0, 0, 0), body);
    uint8_t *data = wire_put_u16(body + WIRE_HEADER_BYTES, length + WIRE_SEAL_BYTES);
    data = wire_put_u8(wire_put_u8(data, WIRE_SEALED_BIT | draw(64)), draw(256));
    fill(data, length);
    put_seal(keys, body, length, counter, data + length);
    const bool genuine = draw(2) == 0;
    if (!genuine) {
        data[length + draw(WIRE_SEAL_BYTES)] ^= (uint8_t)(1u << draw(8));
    }
    const uint8_t *end = data + length + WIRE_SEAL_BYTES;
    wire_put_u32(data + length + WIRE_SEAL_BYTES, wire_crc32(0, body, (size_t)(end - body)));
    enum wire_event event = WIRE_EVENT_NONE;
    for (const uint8_t *byte = frame; byte < end + 4 && event == WIRE_EVENT_NONE; byte++) {
        event = wire_parser_push(&parser, *byte);
    }
    if (length > capacity + WIRE_HEAD_BYTES) {
        require(event == WIRE_EVENT_ERROR && parser.error == WIRE_ERROR_TOO_LONG, "too long", round);
    } else {
        require(event == WIRE_EVENT_COMMAND && parser.length == length, "a sealed command was missed", round);
        require(wire_seal_check(&parser, keys, counter) == genuine, "seal", round);
    }
    free(frame);
    free(storage);
}

int main(int argc, char **argv) {
    const clock_t end = clock() + (clock_t)(argc > 1 ? atoi(argv[1]) : 1) * CLOCKS_PER_SEC;
    uint8_t device_key[WIRE_KEY_BYTES];
    struct wire_keys keys;
    unsigned long rounds = 0;
    do {
        fill(device_key, sizeof device_key);
        wire_keys_derive(&keys, device_key);
        try_frames(&keys, rounds);
        try_command(&keys, rounds);
        rounds++;
    } while (clock() < end);
    printf("%lu rounds\n", rounds);
    return 0;
}
