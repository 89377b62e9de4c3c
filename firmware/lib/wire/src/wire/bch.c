#include "wire/bch.h"

#include "wire/bytes.h"

/* Generator polynomial without its x^39 term, aligned to the top of a 64-bit shift register. */
#define GENERATOR_LOW (UINT64_C(0x769AC20921) << 25)

void wire_bch_encode(uint32_t word, uint8_t block[WIRE_HEADER_BYTES]) {
    uint64_t parity = 0;
    for (int bit = 23; bit >= 0; bit--) {
        const uint64_t feedback = (parity >> 63) ^ ((word >> bit) & 1u);
        parity <<= 1;
        if (feedback) {
            parity ^= GENERATOR_LOW;
        }
    }
    const uint64_t codeword = ((uint64_t)(word & 0xFFFFFFu) << 40) | (parity >> 24);
    wire_put_u32(wire_put_u32(block, (uint32_t)(codeword >> 32)), (uint32_t)codeword);
}
