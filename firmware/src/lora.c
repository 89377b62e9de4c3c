#include "lora.h"

#if INKLING_RADIO

#include "encoder.h"
#include "prefix.h"

_Static_assert(INKLING_LORA_SPREADING_FACTOR >= 7 && INKLING_LORA_SPREADING_FACTOR <= 12,
               "a spreading factor is 7..12");
_Static_assert(INKLING_LORA_CODING_RATE >= 5 && INKLING_LORA_CODING_RATE <= 8, "a coding rate is 5..8, for 4/5..4/8");
_Static_assert(INKLING_LORA_PREAMBLE >= 6 && INKLING_LORA_PREAMBLE <= 65535, "a preamble has 6 symbols or more");
_Static_assert(INKLING_LORA_DUTY_PERMILLE >= 1 && INKLING_LORA_DUTY_PERMILLE <= 1000,
               "a duty cycle is 1..1000 permille");
_Static_assert(INKLING_LORA_CHUNK >= 0 && INKLING_LORA_CHUNK < 16, "a chunk is 0..15");

/* Of a chunk that the model lacks, or that fits no packet: 0 would mean a header, so the longest there is. */
static uint8_t implicit_bytes(void) {
    const size_t bytes = INKLING_LORA_CHUNK < inkling_model.chunk_count
                             ? prefix_packet_bytes(&inkling_model, INKLING_LORA_CHUNK)
                             : RADIO_MAX_BYTES;
    return bytes < RADIO_MAX_BYTES ? (uint8_t)bytes : (uint8_t)RADIO_MAX_BYTES;
}

struct radio_settings lora_settings(void) {
    return (struct radio_settings){
        .frequency_hz = INKLING_LORA_FREQUENCY_HZ,
        .bandwidth_hz = INKLING_LORA_BANDWIDTH_HZ,
        .spreading_factor = INKLING_LORA_SPREADING_FACTOR,
        .coding_rate = INKLING_LORA_CODING_RATE,
        .preamble_symbols = INKLING_LORA_PREAMBLE,
        .implicit_bytes = INKLING_LORA_IMPLICIT ? implicit_bytes() : 0u,
        .power_dbm = INKLING_LORA_POWER_DBM,
        .sync_word = INKLING_LORA_SYNC_WORD,
    };
}

#endif
