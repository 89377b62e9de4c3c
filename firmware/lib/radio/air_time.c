#include "air_time.h"

#include <stdbool.h>

#define LOW_DATA_RATE_MS 16u
#define QUARTER_SECOND_MICROS 250000u

/* Symbols after the preamble: 8 at the lowest rate, then blocks of one symbol per codeword bit. */
static uint32_t payload_symbols(const struct radio_settings *settings, size_t bytes) {
    const int32_t factor = settings->spreading_factor;
    const uint64_t symbol_ms_by_bandwidth = UINT64_C(1000) << factor;
    const bool low_data_rate = symbol_ms_by_bandwidth >= (uint64_t)LOW_DATA_RATE_MS * settings->bandwidth_hz;
    const int32_t header = settings->implicit_bytes != 0u ? 0 : 20;
    const int32_t bits = 8 * (int32_t)bytes - 4 * factor + 24 + header; /* 24 = 28 + 16 (CRC) - 20 (no header) */
    const int32_t block_bits = 4 * (factor - (low_data_rate ? 2 : 0));
    const int32_t blocks = bits > 0 ? (bits + block_bits - 1) / block_bits : 0;
    return 8u + (uint32_t)blocks * settings->coding_rate;
}

uint32_t radio_air_time_micros(const struct radio_settings *settings, size_t bytes) {
    const uint64_t preamble_quarters = 4u * (uint64_t)settings->preamble_symbols + 17u; /* plus 4.25 sync symbols */
    const uint64_t quarters = preamble_quarters + 4u * (uint64_t)payload_symbols(settings, bytes);
    const uint64_t scaled = (quarters << settings->spreading_factor) * QUARTER_SECOND_MICROS;
    const uint64_t micros = (scaled + settings->bandwidth_hz - 1u) / settings->bandwidth_hz;
    return micros < UINT32_MAX ? (uint32_t)micros : UINT32_MAX;
}
