#include "answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "encoder.h"
#include "key.h"
#include "line.h"
#include "reference.h"

#define MAX_SENT 4096u /* between two checks: a feature frame and a reply */

static uint8_t sent[MAX_SENT];
static size_t sent_count;
static size_t sent_next;
static unsigned frames;

void require(bool condition, const char *expectation) {
    if (!condition) {
        fprintf(stderr, "inkling: against the specification, expected: %s\n", expectation);
        abort();
    }
}

void answers_start(void) {
    sent_count = sent_next = 0;
    frames = 0;
}

void answers_record(const uint8_t *bytes, size_t count) {
    require(count > 0 && count <= sizeof sent - sent_count, "no more bytes than the frames have");
    memcpy(sent + sent_count, bytes, count);
    sent_count += count;
}

unsigned answers_count(void) {
    return frames;
}

void answers_end(void) {
    require(sent_next == sent_count, "no unsolicited bytes");
    sent_count = sent_next = 0;
}

static const uint8_t *take(size_t count) {
    require(sent_count - sent_next >= count, "a complete answer");
    sent_next += count;
    return sent + sent_next - count;
}

/* Take a frame of this size and check its sync and header. */
static const uint8_t *take_frame(size_t size, uint32_t type, uint8_t request, uint32_t chunk) {
    const uint8_t *frame = take(size);
    require(memcmp(frame, reference_sync, SYNC_BYTES) == 0, "the sync");
    const uint64_t header = reference_header(type, INKLING_DEVICE, request, inkling_model.number, chunk);
    require(reference_number(frame + SYNC_BYTES, HEADER_BYTES) == header, "this answer's header");
    frames++;
    return frame;
}

/* Take a reply, check all but its data, and return its data. */
static const uint8_t *take_reply(uint8_t opcode, uint8_t request, size_t length) {
    const uint8_t *frame = take_frame(CONTROL_BYTES(length), REPLY, request, 0);
    const uint8_t *fixed = frame + START_BYTES;
    const uint8_t *data = fixed + FIXED_BYTES;
    require(reference_number(fixed, 2) == length, "the length");
    require(fixed[2] == opcode && fixed[3] == request, "this answer's opcode and request");
    const uint32_t crc = reference_crc32(frame + SYNC_BYTES, HEADER_BYTES + FIXED_BYTES + length);
    require(reference_number(data + length, CRC32_BYTES) == crc, "the CRC-32");
    return data;
}

void answers_error(uint8_t code, uint8_t failed_opcode, uint8_t request) {
    const uint8_t *data = take_reply(0xFF, request, 2);
    require(data[0] == code, "the error code");
    require(data[1] == failed_opcode, "the failed opcode");
}

void answers_not_authentic(uint8_t failed_opcode, uint8_t request) {
    const uint8_t *data = take_reply(0xFF, request, 6);
    require(data[0] == 18u && data[1] == failed_opcode, "NOT_AUTHENTIC with the failed opcode");
    require(reference_number(data + 2, 4) == key_counter(), "the counter of the next image");
}

void answers_key(uint8_t request) {
    const uint8_t *data = take_reply(0x89, request, 5);
    require(data[0] == key_flags(), "the state of the key");
    require(reference_number(data + 1, 4) == key_counter(), "the counter of the next image");
}

void answers_info(uint8_t request, uint8_t mode, uint8_t threshold) {
    const uint8_t *data = take_reply(0x81, request, 71);
    char engine[9] = {0};
    char target[25] = {0};
    memcpy(engine, data + 8, 8);
    memcpy(target, data + 16, 24);
    require(data[0] == 1, "wire version");
    require(reference_number(data + 4, 4) == inkling_model.number, "model number");
    require(strcmp(engine, encoder_engine()) == 0 && strcmp(target, board_target()) == 0, "engine and target");
    require(reference_number(data + 40, 2) == INKLING_HEIGHT && reference_number(data + 42, 2) == INKLING_WIDTH &&
                data[44] == INKLING_CHANNELS,
            "input shape");
    require(reference_number(data + 45, 2) == inkling_model.chunks[0].count, "symbol count");
    require(data[47] == inkling_model.bits_per_symbol && data[48] == inkling_model.chunk_count,
            "bits per symbol and chunk count");
    require(reference_number(data + 49, 4) == encoder_arena_bytes(), "arena bytes");
    require(reference_number(data + 53, 4) == encoder_ram_bytes(), "RAM of the encoder");
    require(reference_number(data + 57, 4) == board_stack_bytes(), "stack bytes");
    require(reference_number(data + 61, 4) == board_clock_hz(), "clock rate");
    const size_t seal = key_is_set() ? SEAL_BYTES : 0u;
    require(reference_number(data + 65, 2) == INKLING_INPUT_BYTES + 2u + seal, "maximum data bytes");
    require(reference_number(data + 67, 2) == INKLING_CLASS_COUNT, "class count");
    require(data[69] == mode && data[70] == threshold, "mode and threshold");
}

void answers_mode(uint8_t request, uint8_t mode, uint8_t threshold) {
    const uint8_t *data = take_reply(0x87, request, 2);
    require(data[0] == mode && data[1] == threshold, "mode and threshold");
}

/* Return the class of the top score, the first of equal ones. */
static uint32_t top_class(const int8_t *scores) {
    uint32_t top = 0;
    for (uint32_t i = 0; i < INKLING_CLASS_COUNT; i++) {
        top = scores[i] > scores[top] ? i : top;
    }
    return top;
}

uint32_t answers_confidence(const int8_t *outputs) {
    const int8_t *scores = outputs + INKLING_LATENT_BYTES;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < INKLING_CLASS_COUNT; i++) {
        sum += inkling_model.answer_weights[scores[top_class(scores)] - scores[i]];
    }
    return reference_confidence(sum);
}

/* Return the number of the frame that answers a command: a board with a key has used up its counter. */
static uint32_t frame_number(uint8_t request) {
    return key_is_set() ? key_counter() - 1u : request;
}

void answers_answer(uint8_t request, const int8_t *outputs) {
    uint64_t index = top_class(outputs + INKLING_LATENT_BYTES);
    uint32_t confidence = answers_confidence(outputs);
    if (key_is_set()) {
        uint8_t stream[5] = {0};
        key_encrypt(6, 0, stream, sizeof stream);
        index = (index + (reference_number(stream, 4) * INKLING_CLASS_COUNT >> 32)) % INKLING_CLASS_COUNT;
        confidence ^= stream[4] & 15u;
    }
    const uint64_t word = (uint64_t)ANSWER << 34 | (uint64_t)INKLING_DEVICE << 26 |
                          (uint64_t)(inkling_model.number % 32u) << 21 | index << 9 |
                          (uint64_t)(frame_number(request) % 32u) << 4 | confidence;
    const uint8_t *frame = take(START_BYTES + (key_is_set() ? HEADER_TAG_BYTES : 0u));
    require(memcmp(frame, reference_sync, SYNC_BYTES) == 0, "the sync");
    require(reference_number(frame + SYNC_BYTES, HEADER_BYTES) == reference_answer(word), "this answer");
    if (key_is_set()) {
        uint8_t tag[16];
        key_tag(tag, 3, 0, word, frame, 0);
        require(memcmp(frame + START_BYTES, tag, HEADER_TAG_BYTES) == 0, "the tag of the answer");
    }
    frames++;
}

/* Return bit k of the packed payload: of the answer word, then of symbols, in Gray code. */
static uint32_t payload_bit(struct wire_chunk chunk, const int8_t *outputs, uint64_t k) {
    const uint32_t bits = inkling_model.bits_per_symbol;
    if (INKLING_CLASS_COUNT > 0u && k < 16u) {
        const uint32_t index = top_class(outputs + INKLING_LATENT_BYTES);
        return reference_payload_word(index, answers_confidence(outputs)) >> (15u - k) & 1u;
    }
    k -= INKLING_CLASS_COUNT > 0u ? 16u : 0u;
    const uint16_t position = inkling_model.symbol_order[chunk.first + k / bits];
    const uint32_t level = inkling_model.symbol_table[outputs[position] + 128];
    return (level ^ level >> 1) >> (bits - 1u - k % bits) & 1u;
}

/* Check a secured feature frame with this payload, which is encrypted in place. */
static void take_secured(uint8_t chunk, uint8_t *payload, size_t bytes) {
    const uint32_t number = key_counter() - 1u;
    const size_t size = START_BYTES + HEADER_TAG_BYTES + bytes + PAYLOAD_TAG_BYTES;
    const uint8_t *frame = take_frame(size, FEATURE, (uint8_t)(number % 32u), chunk);
    const uint64_t word = reference_number(frame + SYNC_BYTES, 3);
    uint8_t tag[16];
    key_tag(tag, 1, chunk, word, payload, 0);
    require(memcmp(frame + START_BYTES, tag, HEADER_TAG_BYTES) == 0, "the header tag");
    key_encrypt(5, chunk, payload, bytes);
    const uint8_t *sent_payload = frame + START_BYTES + HEADER_TAG_BYTES;
    require(memcmp(sent_payload, payload, bytes) == 0, "the encrypted payload");
    key_tag(tag, 2, chunk, word, payload, bytes);
    require(memcmp(sent_payload + bytes, tag, PAYLOAD_TAG_BYTES) == 0, "the payload tag");
}

void answers_feature(uint8_t request, uint8_t number, const int8_t *outputs) {
    const struct wire_chunk chunk = inkling_model.chunks[number];
    const uint64_t answer_bits = INKLING_CLASS_COUNT > 0u ? 16u : 0u;
    const uint64_t n_bits = answer_bits + (uint64_t)chunk.count * inkling_model.bits_per_symbol;
    const size_t bytes = (size_t)(n_bits + 7u) / 8u;
    const uint64_t step = reference_step(n_bits);
    uint8_t expected[MAX_SENT] = {0};
    for (uint64_t j = 0; j < n_bits; j++) {
        expected[j / 8u] |= (uint8_t)(payload_bit(chunk, outputs, j * step % n_bits) << (7u - j % 8u));
    }
    if (key_is_set()) {
        take_secured(number, expected, bytes);
        return;
    }
    const uint8_t *frame = take_frame(START_BYTES + bytes + 2u, FEATURE, request, number);
    const uint8_t *payload = frame + START_BYTES;
    require(memcmp(payload, expected, bytes) == 0, "the payload");
    const uint16_t crc = reference_crc16(inkling_model.number, frame + SYNC_BYTES, HEADER_BYTES + bytes);
    require(reference_number(payload + bytes, 2) == crc, "the CRC-16");
}

void answers_cost(uint8_t request, uint8_t opcode) {
    const uint8_t *data = take_reply(opcode | 0x80u, request, 12);
    require(reference_number(data, 4) <= reference_number(data + 4, 4), "encode_cycles <= total_cycles");
}

void answers_pixels(uint8_t request, const int8_t *input) {
    const uint8_t *data = take_reply(0x85, request, INKLING_INPUT_BYTES);
    for (size_t i = 0; i < INKLING_INPUT_BYTES; i++) {
        require(data[i] - 128 == input[i], "the pixels in the encoder's input");
    }
}

void answers_bench(uint8_t request, uint8_t repeats) {
    const uint8_t *data = take_reply(0x83, request, 17);
    const uint64_t min = reference_number(data + 1, 4);
    const uint64_t max = reference_number(data + 5, 4);
    const uint64_t mean = reference_number(data + 9, 4);
    require(data[0] == repeats, "repeats");
    require(min <= mean && mean <= max, "min <= mean <= max");
}
