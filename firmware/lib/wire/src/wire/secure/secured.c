#include "wire/secure/secured.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/secure/cmac.h"

static void derive(const uint8_t device_key[WIRE_KEY_BYTES], const char label[12], uint8_t key[WIRE_KEY_BYTES]) {
    /* SP 800-108, counter mode, one block: number 1, label, 0, no context, length in bits */
    static const uint8_t number[] = {1}, end[] = {0, 0, 8u * WIRE_KEY_BYTES};
    struct wire_cmac cmac;
    wire_cmac_start(&cmac, device_key);
    wire_cmac_update(&cmac, number, sizeof number);
    wire_cmac_update(&cmac, (const uint8_t *)label, 11);
    wire_cmac_update(&cmac, end, sizeof end);
    wire_cmac_finish(&cmac, key);
}

void wire_keys_derive(struct wire_keys *keys, const uint8_t device_key[WIRE_KEY_BYTES]) {
    derive(device_key, "inkling enc", keys->encryption);
    derive(device_key, "inkling mac", keys->authentication);
}

/* Write a block of purpose, device, counter and chunk; the other bytes are 0. */
static void start_block(uint8_t block[WIRE_BLOCK_BYTES], uint8_t purpose, const struct wire_secured *secured,
                        uint8_t chunk) {
    memset(block, 0, WIRE_BLOCK_BYTES);
    wire_put_u8(wire_put_u32(wire_put_u8(wire_put_u8(block, purpose), secured->device), secured->counter), chunk);
}

/* Write the first `size` bytes of the tag of a frame's header word and of `length` bytes that follow it. */
static void put_tag(uint8_t *tag, size_t size, uint8_t purpose, const struct wire_secured *secured, uint8_t chunk,
                    uint64_t word, const uint8_t *data, size_t length) {
    uint8_t block[WIRE_BLOCK_BYTES];
    struct wire_cmac cmac;
    start_block(block, purpose, secured, chunk);
    wire_put_u32(wire_put_u32(wire_put_u8(block + 7, (uint32_t)(word >> 32)), (uint32_t)word), secured->model->number);
    wire_cmac_start(&cmac, secured->keys->authentication);
    wire_cmac_update(&cmac, block, sizeof block);
    wire_cmac_update(&cmac, data, length);
    wire_cmac_finish(&cmac, block);
    memcpy(tag, block, size);
}

static struct wire_result fault(enum wire_status status) {
    const struct wire_result result = {0, (uint8_t)status};
    return result;
}

struct wire_result wire_secured_feature_frame(uint8_t *out, size_t capacity, const struct wire_secured *secured,
                                              uint8_t chunk, const int8_t *outputs, bool sync) {
    const struct wire_model *model = secured->model;
    if (chunk > 15u || chunk >= model->chunk_count || model->chunks[chunk].count == 0) {
        return fault(WIRE_BAD_FIELD);
    }
    const size_t payload = WIRE_PAYLOAD_BYTES(model->class_count, model->chunks[chunk].count, model->bits_per_symbol);
    const size_t head = (sync ? WIRE_SYNC_BYTES : 0u) + WIRE_HEADER_BYTES + WIRE_HEADER_TAG_BYTES;
    const struct wire_result result = {head + payload + WIRE_PAYLOAD_TAG_BYTES, WIRE_OK};
    if (capacity < result.length) {
        return fault(WIRE_NO_ROOM);
    }
    uint8_t *start = sync ? wire_put_u32(out, WIRE_SYNC) : out;
    uint8_t *data = out + head;
    const uint32_t word =
        wire_header_word(WIRE_FEATURE, secured->device, secured->counter & 31u, model->number & 31u, chunk);
    wire_bch_encode(word, start);
    put_tag(start + WIRE_HEADER_BYTES, WIRE_HEADER_TAG_BYTES, WIRE_TAG_HEADER, secured, chunk, word, data, 0);
    wire_payload_write(data, model, model->chunks[chunk], outputs);
    uint8_t block[WIRE_BLOCK_BYTES];
    start_block(block, WIRE_STREAM_PAYLOAD, secured, chunk);
    wire_aes_ctr(secured->keys->encryption, block, data, payload);
    put_tag(data + payload, WIRE_PAYLOAD_TAG_BYTES, WIRE_TAG_PAYLOAD, secured, chunk, word, data, payload);
    return result;
}

struct wire_result wire_secured_answer_frame(uint8_t *out, size_t capacity, const struct wire_secured *secured,
                                             struct wire_answer answer, bool sync) {
    const uint32_t classes = secured->model->class_count;
    if (answer.index >= classes || answer.confidence > WIRE_MAX_CONFIDENCE) {
        return fault(WIRE_BAD_FIELD);
    }
    const struct wire_result result = {(sync ? WIRE_SYNC_BYTES : 0u) + WIRE_HEADER_BYTES + WIRE_HEADER_TAG_BYTES,
                                       WIRE_OK};
    if (capacity < result.length) {
        return fault(WIRE_NO_ROOM);
    }
    uint8_t block[WIRE_BLOCK_BYTES];
    start_block(block, WIRE_STREAM_ANSWER, secured, 0);
    wire_aes_encrypt(secured->keys->encryption, block, block);
    const uint32_t random = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    /* Modulo the number of classes, so that the codewords stay as far apart as those of plain answers. */
    uint32_t index = answer.index + (uint32_t)((uint64_t)random * classes >> 32);
    index -= classes & (0u - (uint32_t)(index >= classes));
    const uint64_t high =
        (uint32_t)WIRE_ANSWER_FRAME << 13 | (uint32_t)secured->device << 5 | (secured->model->number & 31u);
    const uint64_t word =
        high << 21 | index << 9 | (secured->counter & 31u) << 4 | (answer.confidence ^ (block[4] & 15u));
    uint8_t *start = sync ? wire_put_u32(out, WIRE_SYNC) : out;
    wire_bch_encode_answer(word, start);
    put_tag(start + WIRE_HEADER_BYTES, WIRE_HEADER_TAG_BYTES, WIRE_TAG_ANSWER, secured, 0, word, start, 0);
    return result;
}
