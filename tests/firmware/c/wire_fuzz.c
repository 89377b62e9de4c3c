/* Test program: feeds the command parser and the frame writers with a fixed pseudo-random stream, under the sanitizers.
 * Usage: wire_fuzz SECONDS. Every buffer is a heap block of its exact size, so the sanitizers see any access outside.
 * After each stream the parser must accept a valid command. Prints the number of rounds; aborts on the first fault. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire/bytes.h"
#include "wire/crc.h"
#include "wire/parser.h"
#include "wire/reply.h"

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

static void require(int condition, const char *what, unsigned long round) {
    if (!condition) {
        fprintf(stderr, "round %lu: %s\n", round, what);
        abort();
    }
}

static size_t make_command(uint8_t *out, uint32_t device, size_t length, uint32_t type) {
    uint8_t *body = wire_put_u32(out, WIRE_SYNC);
    wire_bch_encode(wire_header_word(type, device, draw(32), 0, 0), body);
    uint8_t *next = wire_put_u16(body + WIRE_HEADER_BYTES, (uint32_t)length);
    for (size_t i = 0; i < length + 2; i++) {
        next = wire_put_u8(next, draw(256));
    }
    next = wire_put_u32(next, wire_crc32(0, body, (size_t)(next - body)));
    return (size_t)(next - out);
}

static size_t make_answer(uint8_t *out) {
    wire_bch_encode_answer((uint64_t)draw(1u << 20) << 16 | draw(1u << 16), wire_put_u32(out, WIRE_SYNC));
    return WIRE_ANSWER_BYTES;
}

/* Make a piece of the stream: a command for any device, whole, cut, damaged or of another type, an answer, or noise. */
static size_t make_piece(uint8_t *out) {
    static const uint32_t devices[] = {DEVICE, WIRE_ANY_DEVICE, DEVICE + 1};
    if (draw(8) == 0) {
        return make_answer(out);
    }
    size_t length = make_command(out, devices[draw(3)], draw(MAX_DATA), draw(4) ? WIRE_COMMAND : draw(4));
    switch (draw(5)) {
        case 0:
            return draw((uint32_t)length);
        case 1:
            out[draw((uint32_t)length)] ^= (uint8_t)(1u << draw(8));
            return length;
        case 2:
            for (size_t i = 0; i < length; i++) {
                out[i] = (uint8_t)draw(256);
            }
            return length;
        case 3:
            memmove(out, out + 4, length - 4); /* no sync */
            return length - 4;
        default:
            return length;
    }
}

static void try_parser(unsigned long round) {
    const size_t capacity = draw(MAX_DATA);
    uint8_t *body = malloc(capacity + !capacity);
    uint8_t *piece = malloc(WIRE_REPLY_BYTES(MAX_DATA));
    struct wire_parser parser;
    wire_parser_init(&parser, DEVICE, body, capacity);
    for (uint32_t pieces = draw(12); pieces > 0; pieces--) {
        const size_t length = make_piece(piece);
        for (size_t i = 0; i < length; i++) {
            const enum wire_event event = wire_parser_push(&parser, piece[i]);
            require(event != WIRE_EVENT_COMMAND || parser.length <= wire_parser_max_data(&parser), "length", round);
            require(event != WIRE_EVENT_ERROR || parser.error != WIRE_ERROR_NONE, "error without a code", round);
        }
        if (draw(20) == 0) {
            wire_parser_overrun(&parser);
        }
    }
    wire_parser_timeout(&parser);
    const size_t data = draw((uint32_t)capacity + WIRE_HEAD_BYTES + 1u);
    const size_t length = make_command(piece, DEVICE, data < MAX_DATA ? data : 0, WIRE_COMMAND);
    for (size_t i = 0; i < length; i++) {
        const enum wire_event event = wire_parser_push(&parser, piece[i]);
        require(event == (i + 1 < length ? WIRE_EVENT_NONE : WIRE_EVENT_COMMAND), "a valid command was missed", round);
    }
    free(piece);
    free(body);
}

static void require_result(struct wire_result result, size_t capacity, const char *what, unsigned long round) {
    require(result.length <= capacity && (result.length == 0) == (result.status != WIRE_OK), what, round);
}

static void try_frames(unsigned long round) {
    uint8_t table[256];
    uint16_t weights[256];
    uint16_t order[64];
    for (size_t i = 0; i < 256; i++) {
        table[i] = (uint8_t)draw(256);
        weights[i] = (uint16_t)draw(1u << 15);
    }
    for (size_t i = 0; i < 64; i++) {
        order[i] = (uint16_t)draw(64);
    }
    const uint16_t classes = (uint16_t)(draw(2) * draw(40));
    int8_t *outputs = malloc(64u + classes);
    for (size_t i = 0; i < 64u + classes; i++) {
        outputs[i] = (int8_t)((int)draw(256) - 128);
    }
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
    const size_t capacity = draw(100);
    uint8_t *out = malloc(capacity + !capacity);
    struct wire_result result = wire_feature_frame(out, capacity, &model, (uint8_t)draw(256), (uint8_t)draw(34),
                                                   (uint8_t)draw(2), outputs, draw(2) == 0);
    require_result(result, capacity, "feature frame", round);
    const struct wire_answer answer = {(uint16_t)draw(50), (uint8_t)draw(18)};
    result = wire_answer_frame(out, capacity, &model, (uint8_t)draw(256), (uint8_t)draw(34), answer, draw(2) == 0);
    require_result(result, capacity, "answer frame", round);
    if (classes > 0) {
        const struct wire_answer own = wire_answer_of(&model, outputs + 64);
        require(own.index < classes && own.confidence <= WIRE_MAX_CONFIDENCE, "answer", round);
    }
    result =
        wire_reply_frame(out, capacity, DEVICE, model.number, (uint8_t)draw(256), (uint8_t)draw(256), table, draw(100));
    require_result(result, capacity, "reply frame", round);
    free(out);
    free(outputs);
}

int main(int argc, char **argv) {
    const clock_t end = clock() + (clock_t)(argc > 1 ? atoi(argv[1]) : 1) * CLOCKS_PER_SEC;
    unsigned long rounds = 0;
    do {
        try_parser(rounds);
        try_frames(rounds);
        rounds++;
    } while (clock() < end);
    printf("%lu rounds\n", rounds);
    return 0;
}
