#include "reference.h"

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
