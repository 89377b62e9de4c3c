/* Test application for a bare port: cycles to write frames with a payload of 144 bytes. Answers 'F' (secured features),
 * 'f' (plain features), 'A' (secured answer), 'a' (plain answer), 'K' (keys from a device key), 'T' (tag of a status),
 * 'R' (seal of a RUN with 3072 pixels), 'S' (the most bytes of stack in 'F') and 'B' (bytes of the keys) in decimal. */
#include "../answer.h"
#include "app.h"
#include "wire/secure/seal.h"
#include "wire/secure/secured_status.h"

#define COUNT 284u /* symbols: with the answer word, 1152 bits */

static uint8_t table[256];
static uint16_t order[COUNT];
static uint16_t weights[256];
static int8_t outputs[COUNT + 10u];
static uint8_t frame[WIRE_SECURED_FEATURE_BYTES(10u, COUNT, 4u)];
static struct wire_keys keys;
static struct wire_parser parser;
static uint8_t pixels[3072];
static const struct wire_chunk chunks[] = {{0, COUNT}};
static const struct wire_model model = {
    .number = 0x5EED1234,
    .symbol_table = table,
    .symbol_order = order,
    .chunks = chunks,
    .chunk_count = 1,
    .bits_per_symbol = 4,
    .class_count = 10,
    .latent_count = COUNT,
    .answer_weights = weights,
};

static void write(int what) {
    static const uint8_t device_key[WIRE_KEY_BYTES] = {1, 2, 3};
    const struct wire_secured secured = {&model, &keys, 7, 9};
    const struct wire_answer given = {3, 12};
    if (what == 'F') {
        wire_secured_feature_frame(frame, sizeof frame, &secured, 0, outputs, true);
    } else if (what == 'f') {
        wire_feature_frame(frame, sizeof frame, &model, 7, 9, 0, outputs, true);
    } else if (what == 'A') {
        wire_secured_answer_frame(frame, sizeof frame, &secured, given, true);
    } else if (what == 'a') {
        wire_answer_frame(frame, sizeof frame, &model, 7, 9, given, true);
    } else if (what == 'T') {
        wire_status_add_tag(frame, &keys, 7, model.number);
    } else if (what == 'R') {
        (void)wire_seal_check(&parser, &keys, 9);
    } else {
        wire_keys_derive(&keys, device_key);
    }
}

/* Return how many bytes below this function's frame `what` has written, of at most 1 KiB. */
static uint32_t __attribute__((noinline)) stack_bytes(int what) {
    volatile uint8_t *const here = (volatile uint8_t *)__builtin_frame_address(0);
    enum { BELOW = 1024, MARGIN = 64 };
    for (uint32_t i = MARGIN; i < BELOW; i++) {
        here[-(int32_t)i] = 0xA5;
    }
    write(what);
    uint32_t used = BELOW - 1;
    while (used > MARGIN && here[-(int32_t)used] == 0xA5) {
        used--;
    }
    return used;
}

void app_start(void) {
    for (uint32_t i = 0; i < 256u; i++) {
        table[i] = (uint8_t)(i / 16u);
        weights[i] = (uint16_t)(32768u >> (i / 8u));
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        order[i] = (uint16_t)i;
        outputs[i] = (int8_t)(i * 7u);
    }
    wire_parser_init(&parser, 7, pixels, sizeof pixels);
    parser.opcode = WIRE_SEALED_BIT | WIRE_RUN;
    parser.length = WIRE_HEAD_BYTES + sizeof pixels;
    parser.sealed = 1;
    write('K');
}

void app_step(void) {
    const int byte = board_read();
    if (byte == 'S') {
        answer(stack_bytes('F'));
    } else if (byte == 'B') {
        answer(sizeof keys);
    } else if (byte == 'F' || byte == 'f' || byte == 'A' || byte == 'a' || byte == 'K' || byte == 'T' || byte == 'R') {
        const uint32_t start = board_cycles();
        write(byte);
        answer(board_cycles() - start);
    } else if (byte == 0x1A) { /* start of a command: the emulator checks that the board responds */
        answer(1);
    }
    board_wait();
}
