/* Test program: is every branch and address of the cryptography independent of keys and plain text? MemorySanitizer
 * reports branches and addresses that depend on uninitialised bytes, so the device key and the encoder's outputs count
 * as uninitialised. Usage: constant_time [branch | address]; with an argument, it leaks the key in that way on purpose.
 *
 * The rest of the wire library is compiled without the sanitizer: it looks at symbols, as a board without a key does,
 * and at the encrypted answer, which is public. */
#include <sanitizer/msan_interface.h>
#include <stdio.h>
#include <string.h>

#include "wire/secure/cmac.h"
#include "wire/secure/seal.h"
#include "wire/secure/secured_status.h"

static const uint8_t table[256] = {1, 2, 3};

static uint8_t leak(const char *how, uint8_t secret) {
    if (strcmp(how, "address") == 0) {
        return table[secret];
    }
    uint8_t rounds = 0;
    for (volatile uint8_t i = 0; i < secret; i++) {
        rounds++;
    }
    return rounds;
}

static bool check_command(const struct wire_keys *keys) {
    uint8_t body[40] = {0};
    struct wire_parser parser;
    wire_parser_init(&parser, 7, body, sizeof body);
    __msan_unpoison(&parser, sizeof parser); /* written without the sanitizer */
    parser.sealed = 1;
    parser.opcode = WIRE_SEALED_BIT | WIRE_RUN;
    parser.length = WIRE_HEAD_BYTES + sizeof body;
    bool accepted = wire_seal_check(&parser, keys, 9);
    __msan_unpoison(&accepted, sizeof accepted); /* that a seal is refused is public */
    return accepted;
}

int main(int argc, char **argv) {
    static const uint16_t order[3] = {0, 1, 2};
    static const struct wire_chunk chunk = {0, 3};
    static const uint16_t weights[256] = {1};
    const struct wire_model model = {
        .number = 0x5EED1234,
        .symbol_table = table,
        .symbol_order = order,
        .chunks = &chunk,
        .chunk_count = 1,
        .bits_per_symbol = 8,
        .class_count = 10,
        .latent_count = 3,
        .answer_weights = weights,
    };
    uint8_t device_key[WIRE_KEY_BYTES] = {0};
    int8_t outputs[13] = {0};
    __msan_poison(device_key, sizeof device_key);
    __msan_poison(outputs, sizeof outputs);

    struct wire_keys keys;
    wire_keys_derive(&keys, device_key);
    const struct wire_secured secured = {&model, &keys, 7, 9};
    uint8_t features[WIRE_SECURED_FEATURE_BYTES(10, 3, 8)], answer[WIRE_SECURED_ANSWER_BYTES];
    struct wire_answer given = {3, 4};
    if (wire_secured_feature_frame(features, sizeof features, &secured, 0, outputs, true).status != WIRE_OK ||
        wire_secured_answer_frame(answer, sizeof answer, &secured, given, true).status != WIRE_OK) {
        return 2;
    }
    uint8_t status[WIRE_SECURED_STATUS_BYTES] = {0};
    wire_status_add_tag(status, &keys, 7, model.number);
    if (__msan_test_shadow(features + 12, 8) != 0 || __msan_test_shadow(answer + 12, 8) != 0 ||
        __msan_test_shadow(status + WIRE_STATUS_BYTES, WIRE_STATUS_TAG_BYTES) != 0) {
        return 3; /* the key has not reached the tags: nothing was tested */
    }
    if (check_command(&keys)) {
        return 4;
    }
    if (argc > 1) {
        printf("%d\n", leak(argv[1], keys.encryption[0]));
    }
    return 0;
}
