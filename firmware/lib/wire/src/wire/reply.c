#include "wire/reply.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/crc.h"

uint32_t wire_reply_start(uint8_t out[WIRE_REPLY_START_BYTES], uint8_t device, uint32_t model_number, uint8_t opcode,
                          uint8_t request, uint16_t length) {
    uint8_t *body = wire_put_u32(out, WIRE_SYNC);
    wire_bch_encode(wire_header_word(WIRE_REPLY, device, request & 31u, model_number & 31u, 0), body);
    uint8_t *next = wire_put_u16(body + WIRE_HEADER_BYTES, length);
    next = wire_put_u8(wire_put_u8(next, opcode), request);
    return wire_crc32(0, body, (size_t)(next - body));
}

struct wire_result wire_reply_frame(uint8_t *out, size_t capacity, uint8_t device, uint32_t model_number,
                                    uint8_t opcode, uint8_t request, const uint8_t *data, size_t length) {
    struct wire_result result = {0, WIRE_OK};
    if (length > 0xFFFFu) {
        result.status |= WIRE_BAD_FIELD;
    }
    if (capacity < WIRE_REPLY_BYTES(0) || capacity - WIRE_REPLY_BYTES(0) < length) {
        result.status |= WIRE_NO_ROOM;
    }
    if (result.status != WIRE_OK) {
        return result;
    }
    const uint32_t crc = wire_reply_start(out, device, model_number, opcode, request, (uint16_t)length);
    uint8_t *next = out + WIRE_REPLY_START_BYTES;
    if (length > 0) {
        memcpy(next, data, length);
    }
    next = wire_put_u32(next + length, wire_crc32(crc, data, length));
    result.length = (size_t)(next - out);
    return result;
}

/* Write a text, cut or padded with zeros to `size` bytes. */
static uint8_t *put_text(uint8_t *out, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)*text;
        text += *text != '\0';
    }
    return out + size;
}

void wire_info_write(uint8_t data[WIRE_INFO_BYTES], const struct wire_info *info) {
    uint8_t *next = wire_put_u8(data, WIRE_VERSION);
    for (int i = 0; i < 3; i++) {
        next = wire_put_u8(next, info->firmware_version[i]);
    }
    next = wire_put_u32(next, info->model_number);
    next = put_text(next, info->engine, 8);
    next = put_text(next, info->target, 24);
    next = wire_put_u16(next, info->height);
    next = wire_put_u16(next, info->width);
    next = wire_put_u8(next, info->channels);
    next = wire_put_u16(next, info->symbol_count);
    next = wire_put_u8(next, info->bits_per_symbol);
    next = wire_put_u8(next, info->chunk_count);
    next = wire_put_u32(next, info->arena_bytes);
    next = wire_put_u32(next, info->encoder_ram_bytes);
    next = wire_put_u32(next, info->stack_bytes);
    next = wire_put_u32(next, info->clock_hz);
    next = wire_put_u16(next, info->max_data);
    next = wire_put_u16(next, info->class_count);
    next = wire_put_u8(next, info->mode);
    wire_put_u8(next, info->threshold);
}

void wire_run_cost_write(uint8_t data[WIRE_RUN_COST_BYTES], const struct wire_run_cost *cost) {
    uint8_t *next = wire_put_u32(data, cost->encode_cycles);
    next = wire_put_u32(next, cost->total_cycles);
    wire_put_u32(next, cost->microseconds);
}

void wire_bench_result_write(uint8_t data[WIRE_BENCH_RESULT_BYTES], const struct wire_bench_result *result) {
    uint8_t *next = wire_put_u8(data, result->repeats);
    next = wire_put_u32(next, result->min_cycles);
    next = wire_put_u32(next, result->max_cycles);
    next = wire_put_u32(next, result->mean_cycles);
    wire_put_u32(next, result->microseconds);
}

void wire_key_state_write(uint8_t data[WIRE_KEY_STATE_BYTES], uint8_t flags, uint32_t counter) {
    wire_put_u32(wire_put_u8(data, flags), counter);
}

void wire_error_write(uint8_t data[WIRE_ERROR_BYTES], uint8_t code, uint8_t failed_opcode) {
    wire_put_u8(wire_put_u8(data, code), failed_opcode);
}
