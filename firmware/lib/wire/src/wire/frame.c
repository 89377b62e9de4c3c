#include "wire/frame.h"

#include "wire/bytes.h"
#include "wire/crc.h"

static struct wire_result fault(enum wire_status status) {
    const struct wire_result result = {0, (uint8_t)status};
    return result;
}

struct wire_result wire_feature_frame(uint8_t *out, size_t capacity, const struct wire_model *model, uint8_t device,
                                      uint8_t sequence, uint8_t chunk, const int8_t *outputs, bool sync) {
    if (sequence > 31u || chunk > 15u || chunk >= model->chunk_count || model->chunks[chunk].count == 0) {
        return fault(WIRE_BAD_FIELD);
    }
    const size_t payload = WIRE_PAYLOAD_BYTES(model->class_count, model->chunks[chunk].count, model->bits_per_symbol);
    const size_t body = WIRE_HEADER_BYTES + payload;
    const size_t length = (sync ? WIRE_SYNC_BYTES : 0u) + body + WIRE_CRC16_BYTES;
    if (capacity < length) {
        return fault(WIRE_NO_ROOM);
    }
    uint8_t *start = sync ? wire_put_u32(out, WIRE_SYNC) : out;
    wire_bch_encode(wire_header_word(WIRE_FEATURE, device, sequence, model->number & 31u, chunk), start);
    wire_payload_write(start + WIRE_HEADER_BYTES, model, model->chunks[chunk], outputs);
    wire_put_u16(start + body, wire_crc16((uint16_t)model->number, start, body));
    const struct wire_result result = {length, WIRE_OK};
    return result;
}

struct wire_result wire_answer_frame(uint8_t *out, size_t capacity, const struct wire_model *model, uint8_t device,
                                     uint8_t sequence, struct wire_answer answer, bool sync) {
    if (sequence > 31u || answer.index >= model->class_count || answer.confidence > WIRE_MAX_CONFIDENCE) {
        return fault(WIRE_BAD_FIELD);
    }
    const size_t length = (sync ? WIRE_SYNC_BYTES : 0u) + WIRE_HEADER_BYTES;
    if (capacity < length) {
        return fault(WIRE_NO_ROOM);
    }
    const uint64_t high = (uint32_t)WIRE_ANSWER_FRAME << 13 | (uint32_t)device << 5 | (model->number & 31u);
    const uint32_t low = (uint32_t)answer.index << 9 | (uint32_t)sequence << 4 | answer.confidence;
    wire_bch_encode_answer(high << 21 | low, sync ? wire_put_u32(out, WIRE_SYNC) : out);
    const struct wire_result result = {length, WIRE_OK};
    return result;
}
