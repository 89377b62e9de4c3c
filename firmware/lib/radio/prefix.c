#include "prefix.h"

#include "air_time.h"
#include "wire/frame.h"

size_t prefix_packet_bytes(const struct wire_model *model, uint8_t chunk, size_t extra) {
    const size_t plain =
        WIRE_FEATURE_BYTES(model->class_count, model->chunks[chunk].count, model->bits_per_symbol) - WIRE_SYNC_BYTES;
    return plain + extra;
}

uint8_t prefix_longest(const struct wire_model *model, const struct radio_settings *settings, size_t extra,
                       uint32_t max_micros) {
    uint8_t longest = PREFIX_NONE;
    uint16_t symbol_count = 0;
    for (uint8_t chunk = 0; chunk < model->chunk_count; chunk++) {
        const struct wire_chunk candidate = model->chunks[chunk];
        const size_t bytes = prefix_packet_bytes(model, chunk, extra);
        if (candidate.first == 0u && candidate.count > symbol_count && bytes <= RADIO_MAX_BYTES &&
            radio_air_time_micros(settings, bytes) <= max_micros) {
            longest = chunk;
            symbol_count = candidate.count;
        }
    }
    return longest;
}
