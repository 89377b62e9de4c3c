#include "wire/bch.h"

#include "wire/bytes.h"

/* Generator polynomial of headers without its x^39 term, aligned to the top of a 64-bit shift register. */
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

#define ANSWER_BITS 36

/* Codewords and 0 bit of the bits of an answer, lowest first. The leading term of row i is x^(62 - i); row i is of the
 * smallest code with more than i message bits, of BCH(63,7), (63,10), (63,16), (63,18), (63,24), (63,30), (63,36). */
static const uint64_t answer_rows[ANSWER_BITS] = {
    UINT64_C(0x8153225B1D0D73DE), UINT64_C(0x41FAB376938BCA30), UINT64_C(0x20FD59BB49C5E518),
    UINT64_C(0x107EACDDA4E2F28C), UINT64_C(0x083F566ED2717946), UINT64_C(0x054C896C7435CF7C),
    UINT64_C(0x02A644B63A1AE7BE), UINT64_C(0x013AC9316AEA8368), UINT64_C(0x009D6498B57541B4),
    UINT64_C(0x004EB24C5ABAA0DA), UINT64_C(0x0020630B6FD3C448), UINT64_C(0x00103185B7E9E224),
    UINT64_C(0x000818C2DBF4F112), UINT64_C(0x0004C1F2662743A2), UINT64_C(0x0002AD6A38CE9AFA),
    UINT64_C(0x00019B2617BA7656), UINT64_C(0x0000BCC2D4A74F54), UINT64_C(0x00005E616A53A7AA),
    UINT64_C(0x000020AF83CB48E4), UINT64_C(0x00001057C1E5A472), UINT64_C(0x000008DD7A30DB18),
    UINT64_C(0x0000046EBD186D8C), UINT64_C(0x000002375E8C36C6), UINT64_C(0x000001ED35841242),
    UINT64_C(0x000000819A88D59E), UINT64_C(0x00000043B19481A8), UINT64_C(0x00000021D8CA40D4),
    UINT64_C(0x00000010EC65206A), UINT64_C(0x0000000B0AE27B52), UINT64_C(0x00000006F9A1D6CE),
    UINT64_C(0x000000020B7D46E6), UINT64_C(0x000000010DD02260), UINT64_C(0x0000000086E81130),
    UINT64_C(0x0000000043740898), UINT64_C(0x0000000021BA044C), UINT64_C(0x0000000010DD0226),
};

void wire_bch_encode_answer(uint64_t word, uint8_t block[WIRE_HEADER_BYTES]) {
    uint64_t codeword = 0;
    for (int bit = 0; bit < ANSWER_BITS; bit++) {
        if ((word >> bit) & 1u) {
            codeword ^= answer_rows[bit];
        }
    }
    wire_put_u32(wire_put_u32(block, (uint32_t)(codeword >> 32)), (uint32_t)codeword);
}

bool wire_bch_read_answer(const uint8_t block[WIRE_HEADER_BYTES], uint64_t *word) {
    uint64_t rest = 0;
    for (unsigned i = 0; i < WIRE_HEADER_BYTES; i++) {
        rest = rest << 8 | block[i];
    }
    *word = 0;
    for (int bit = 0; bit < ANSWER_BITS; bit++) {
        if ((rest >> (63 - bit)) & 1u) {
            rest ^= answer_rows[bit];
            *word |= UINT64_C(1) << bit;
        }
    }
    return rest == 0;
}
