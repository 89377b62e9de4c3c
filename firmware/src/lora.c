#include "lora.h"

#if INKLING_RADIO

#include "prefix.h"
#include "secure.h"
#include "wire/control.h"

_Static_assert(INKLING_LORA_SPREADING_FACTOR >= 7 && INKLING_LORA_SPREADING_FACTOR <= 12,
               "INKLING_LORA_SPREADING_FACTOR must be 7..12");
_Static_assert(INKLING_LORA_CODING_RATE >= 5 && INKLING_LORA_CODING_RATE <= 8, "INKLING_LORA_CODING_RATE must be 5..8");
_Static_assert(INKLING_LORA_PREAMBLE >= 6 && INKLING_LORA_PREAMBLE <= 65535, "INKLING_LORA_PREAMBLE must be 6..65535");
_Static_assert(INKLING_LORA_DUTY_PERMILLE >= 1 && INKLING_LORA_DUTY_PERMILLE <= 1000,
               "INKLING_LORA_DUTY_PERMILLE must be 1..1000");
_Static_assert((INKLING_LORA_CHUNK >= 0 && INKLING_LORA_CHUNK < 16) || INKLING_LORA_CHUNK == WIRE_ANSWER,
               "INKLING_LORA_CHUNK must be 0..15, or 254 for answers");
_Static_assert(INKLING_LORA_CHUNK != WIRE_ANSWER || INKLING_CLASS_COUNT > 0u,
               "INKLING_LORA_CHUNK 254 needs a bundle with an answer head");
_Static_assert(INKLING_LORA_CHUNK == WIRE_ANSWER || INKLING_SYMBOL_COUNT > 0u,
               "INKLING_LORA_CHUNK 0..15 needs a bundle with latent heads");

/* 0 would mean an explicit header, so a chunk that does not exist or fit gives the maximum. */
static uint8_t implicit_bytes(void) {
    if (INKLING_LORA_CHUNK == WIRE_ANSWER) {
        return (uint8_t)secure_answer_bytes();
    }
    const size_t bytes = INKLING_LORA_CHUNK < inkling_model.chunk_count
                             ? prefix_packet_bytes(&inkling_model, INKLING_LORA_CHUNK, secure_extra_bytes())
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
