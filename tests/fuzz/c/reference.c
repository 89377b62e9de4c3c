#include "reference.h"

#include <math.h>

const uint8_t reference_sync[SYNC_BYTES] = {0x1A, 0xCF, 0xFC, 0x1D};

uint64_t reference_number(const uint8_t *bytes, size_t count) {
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

uint8_t *reference_put(uint8_t *out, uint64_t number, size_t count) {
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint8_t)(number >> 8 * (count - 1 - i));
    }
    return out + count;
}

/* m(x) x^39 + (m(x) x^39 mod g(x)), and a 0 bit. */
uint64_t reference_codeword(uint32_t word) {
    const uint64_t message = (uint64_t)word << 39;
    uint64_t rest = message;
    for (int bit = 62; bit >= 39; bit--) {
        if (rest >> bit & 1u) {
            rest ^= UINT64_C(0xF69AC20921) << (bit - 39);
        }
    }
    return (message | rest) << 1;
}

uint64_t reference_header(uint32_t type, uint32_t device, uint32_t sequence, uint32_t model, uint32_t chunk) {
    return reference_codeword(type << 22 | device << 14 | sequence % 32u << 9 | model % 32u << 4 | chunk);
}

/* Row j is x^(62 - j) + (x^(62 - j) mod g(x)), g(x) of the smallest code with more than j message bits; and a 0 bit. */
static uint64_t answer_row(int j) {
    static const struct {
        int size;
        uint64_t generator;
    } codes[] = {
        {7, 0x153225B1D0D73DF}, {10, 0x2759262D5D506D}, {16, 0xCD930BDD3B2B}, {18, 0x2F30B529D3D5},
        {24, 0xF69AC20921},     {30, 0x37CD0EB67},      {36, 0x86E8113},
    };
    int code = 0;
    while (codes[code].size <= j) {
        code++;
    }
    uint64_t rest = UINT64_C(1) << (62 - j);
    for (int bit = 62 - j; bit >= 63 - codes[code].size; bit--) {
        if (rest >> bit & 1u) {
            rest ^= codes[code].generator << (bit - (63 - codes[code].size));
        }
    }
    return (UINT64_C(1) << (62 - j) | rest) << 1;
}

uint64_t reference_answer(uint64_t word) {
    uint64_t block = 0;
    for (int j = 0; j < 36; j++) {
        block ^= word >> j & 1u ? answer_row(j) : 0u;
    }
    return block;
}

uint64_t reference_answer_word(uint64_t block) {
    uint64_t word = 0;
    for (int j = 0; j < 36; j++) {
        if (block >> (63 - j) & 1u) {
            word |= UINT64_C(1) << j;
            block ^= answer_row(j);
        }
    }
    return block == 0 ? word : UINT64_MAX;
}

uint32_t reference_confidence(uint32_t sum) {
    uint32_t level = 0;
    while (level < 15u && sum <= 32768.0 * (1.0 + exp(-((double)level + 1.0 - 3.0) / 2.0))) {
        level++;
    }
    return level;
}

uint32_t reference_payload_word(uint32_t index, uint32_t confidence) {
    static const uint32_t rows[12] = {0x47C, 0x5C5, 0xAE1, 0x713, 0x00F, 0x065,
                                      0x095, 0x003, 0x005, 0x011, 0x021, 0x001};
    uint32_t code = 0;
    for (int bit = 0; bit < 12; bit++) {
        code ^= index >> bit & 1u ? rows[bit] : 0u;
    }
    return code << 4 | (confidence ^ confidence >> 1);
}

uint16_t reference_crc16(uint32_t start, const uint8_t *data, size_t length) {
    uint32_t crc = start & 0xFFFFu;
    for (size_t bit = 0; bit < 8u * length; bit++) {
        const uint32_t in = data[bit / 8u] >> (7u - bit % 8u) & 1u;
        const uint32_t out = crc >> 15;
        crc = (crc << 1 & 0xFFFFu) ^ (in != out ? 0x1021u : 0u);
    }
    return (uint16_t)crc;
}

uint32_t reference_crc32(const uint8_t *data, size_t length) {
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t bit = 0; bit < 8u * length; bit++) {
        const uint32_t in = data[bit / 8u] >> bit % 8u & 1u;
        const uint32_t out = crc & 1u;
        crc = (crc >> 1) ^ (in != out ? 0xEDB88320u : 0u);
    }
    return crc ^ 0xFFFFFFFFu;
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    return b == 0 ? a : common_divisor(b, a % b);
}

uint64_t reference_step(uint64_t n_bits) {
    uint64_t step = n_bits * 618034u / 1000000u;
    while (step == 0 || common_divisor(step, n_bits) != 1) {
        step++;
    }
    return step;
}
