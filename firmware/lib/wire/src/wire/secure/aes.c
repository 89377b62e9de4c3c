#include "wire/secure/aes.h"

#include <string.h>

#include "wire/bytes.h"

/* The S-box works on bit planes: word j holds bit j of 32 bytes, and all bytes are substituted at once by AND and XOR.
 * An inverse in GF(2^8) is computed in a tower of fields, as pairs over GF(2^4) (Satoh et al., "A Compact Rijndael
 * Hardware Architecture with S-Box Optimization", 2001). Here GF(2^4) has x^4 + x + 1, and a pair (h, l) stands for
 * h Y + l with Y^2 = Y + x^3; of all such towers, this one needs the fewest XORs to get in and out. */

/* Add the product of two elements of GF(2^4) to `sum`. */
static void add_product(uint32_t sum[4], const uint32_t a[4], const uint32_t b[4]) {
    const uint32_t b03 = b[0] ^ b[3], b23 = b[2] ^ b[3], b12 = b[1] ^ b[2];
    sum[0] ^= (a[0] & b[0]) ^ (a[1] & b[3]) ^ (a[2] & b[2]) ^ (a[3] & b[1]);
    sum[1] ^= (a[0] & b[1]) ^ (a[1] & b03) ^ (a[2] & b23) ^ (a[3] & b12);
    sum[2] ^= (a[0] & b[2]) ^ (a[1] & b[1]) ^ (a[2] & b03) ^ (a[3] & b23);
    sum[3] ^= (a[0] & b[3]) ^ (a[1] & b[2]) ^ (a[2] & b[1]) ^ (a[3] & b03);
}

/* Replace an element of GF(2^4) by its inverse, 0 by 0: the algebraic normal form. */
static void invert(uint32_t d[4]) {
    const uint32_t d01 = d[0] & d[1], d02 = d[0] & d[2], d12 = d[1] & d[2], d03 = d[0] & d[3], d13 = d[1] & d[3];
    const uint32_t d123 = d12 & d[3], d23 = d[2] & d[3];
    const uint32_t i0 = d[0] ^ d[1] ^ d[2] ^ d[3] ^ d02 ^ d12 ^ (d01 & d[2]) ^ d123;
    const uint32_t i1 = d[3] ^ d01 ^ d02 ^ d12 ^ d13 ^ (d01 & d[3]);
    const uint32_t i2 = d[2] ^ d[3] ^ d01 ^ d02 ^ d03 ^ (d02 & d[3]);
    const uint32_t i3 = d[1] ^ d[2] ^ d[3] ^ d03 ^ d13 ^ d23 ^ d123;
    d[0] = i0;
    d[1] = i1;
    d[2] = i2;
    d[3] = i3;
}

/* Replace the 32 bytes of 8 bit planes by their values in the S-box. */
static void substitute(uint32_t p[8]) {
    /* Into the tower: low and high are l and h. */
    const uint32_t p57 = p[5] ^ p[7], p46 = p[4] ^ p[6], p2357 = p[2] ^ p[3] ^ p57, p17 = p[1] ^ p[7];
    const uint32_t p4567 = p57 ^ p46;
    const uint32_t low[4] = {p[0] ^ p57, p[2], p46 ^ p2357, p[3] ^ p[4]};
    const uint32_t high[4] = {p4567 ^ p[7], p46 ^ p17, p2357, p57};
    /* The inverse of h Y + l is (h Y + h + l) / d with d = x^3 h^2 + h l + l^2. */
    const uint32_t both[4] = {high[0] ^ low[0], high[1] ^ low[1], high[2] ^ low[2], high[3] ^ low[3]};
    uint32_t d[4] = {high[2] ^ low[0] ^ low[2], high[1] ^ high[2] ^ high[3] ^ low[2], high[1] ^ low[1] ^ low[3],
                     high[0] ^ high[2] ^ high[3] ^ low[3]};
    add_product(d, high, low);
    invert(d);
    uint32_t v[8] = {0};
    add_product(v, both, d);
    add_product(v + 4, high, d);
    /* Out of the tower, and the affine map of the S-box, which ends with XOR 63. */
    const uint32_t v05 = v[0] ^ v[5], v12 = v[1] ^ v[2], v035 = v[3] ^ v05, v0345 = v[4] ^ v035, v67 = v[6] ^ v[7];
    const uint32_t v02 = v[0] ^ v[2], v01345 = v[1] ^ v0345;
    p[0] = ~(v[6] ^ v02);
    p[1] = ~(v12 ^ v0345);
    p[2] = v[6] ^ v035;
    p[3] = v[2] ^ v05;
    p[4] = v01345;
    p[5] = ~(v[3] ^ v[5] ^ v12 ^ v67);
    p[6] = ~(v[4] ^ v67);
    p[7] = v12;
}

/* Exchange the bits of *b under the mask with those of *a that are `shift` places higher. */
static inline void exchange(uint32_t *a, uint32_t *b, int shift, uint32_t mask) {
    const uint32_t changed = ((*a >> shift) ^ *b) & mask;
    *b ^= changed;
    *a ^= changed << shift;
}

/* Turn 8 words into 8 bit planes, or back: bit j of a byte of word i becomes bit i of that byte of word j. */
static void transpose(uint32_t w[8]) {
    uint32_t a = w[0], b = w[1], c = w[2], d = w[3], e = w[4], f = w[5], g = w[6], h = w[7];
    exchange(&a, &b, 1, 0x55555555u);
    exchange(&c, &d, 1, 0x55555555u);
    exchange(&e, &f, 1, 0x55555555u);
    exchange(&g, &h, 1, 0x55555555u);
    exchange(&a, &c, 2, 0x33333333u);
    exchange(&b, &d, 2, 0x33333333u);
    exchange(&e, &g, 2, 0x33333333u);
    exchange(&f, &h, 2, 0x33333333u);
    exchange(&a, &e, 4, 0x0F0F0F0Fu);
    exchange(&b, &f, 4, 0x0F0F0F0Fu);
    exchange(&c, &g, 4, 0x0F0F0F0Fu);
    exchange(&d, &h, 4, 0x0F0F0F0Fu);
    w[0] = a;
    w[1] = b;
    w[2] = c;
    w[3] = d;
    w[4] = e;
    w[5] = f;
    w[6] = g;
    w[7] = h;
}

static inline uint32_t rotate(uint32_t word, int bits) {
    return word << bits | word >> (32 - bits);
}

/* Return four bytes times x in AES's GF(2^8). */
static inline uint32_t times_x(uint32_t word) {
    const uint32_t carry = word >> 7 & 0x01010101u;
    return (word << 1 & 0xFEFEFEFEu) ^ carry ^ carry << 1 ^ carry << 3 ^ carry << 4;
}

/* Return a column after ShiftRows, from it and those on its right. */
static inline uint32_t shift_rows(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return (a & 0xFF000000u) | (b & 0x00FF0000u) | (c & 0x0000FF00u) | (d & 0x000000FFu);
}

/* Return a column after MixColumns; row 0 is the top byte. */
static inline uint32_t mix(uint32_t column) {
    const uint32_t twice = times_x(column);
    return twice ^ rotate(twice ^ column, 8) ^ rotate(column, 16) ^ rotate(column, 24);
}

static inline uint32_t get_u32(const uint8_t *in) {
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

void wire_aes_encrypt(const uint8_t key[WIRE_KEY_BYTES], const uint8_t in[WIRE_BLOCK_BYTES],
                      uint8_t out[WIRE_BLOCK_BYTES]) {
    uint32_t k[4], s[4]; /* columns of the round key and of the state */
    for (int i = 0; i < 4; i++) {
        k[i] = get_u32(key + 4 * i);
        s[i] = get_u32(in + 4 * i) ^ k[i];
    }
    uint32_t constant = 1;
    for (int round = 1; round <= 10; round++) {
        /* The S-box has room for the bytes of the next round key: no expanded key is kept. */
        uint32_t w[8] = {s[0], s[1], s[2], s[3], rotate(k[3], 8), 0, 0, 0};
        transpose(w);
        substitute(w);
        transpose(w);
        k[0] ^= w[4] ^ constant << 24;
        constant = times_x(constant) & 0xFFu;
        for (int i = 1; i < 4; i++) {
            k[i] ^= k[i - 1];
        }
        s[0] = shift_rows(w[0], w[1], w[2], w[3]);
        s[1] = shift_rows(w[1], w[2], w[3], w[0]);
        s[2] = shift_rows(w[2], w[3], w[0], w[1]);
        s[3] = shift_rows(w[3], w[0], w[1], w[2]);
        for (int i = 0; i < 4; i++) {
            s[i] = (round < 10 ? mix(s[i]) : s[i]) ^ k[i];
        }
    }
    for (int i = 0; i < 4; i++) {
        out = wire_put_u32(out, s[i]);
    }
}

void wire_aes_ctr(const uint8_t key[WIRE_KEY_BYTES], const uint8_t first[WIRE_BLOCK_BYTES], uint8_t *data,
                  size_t length) {
    uint8_t input[WIRE_BLOCK_BYTES], stream[WIRE_BLOCK_BYTES];
    memcpy(input, first, sizeof input);
    uint32_t index = (uint32_t)input[14] << 8 | input[15];
    for (size_t done = 0; done < length; done += WIRE_BLOCK_BYTES) {
        wire_put_u16(input + 14, index++);
        wire_aes_encrypt(key, input, stream);
        for (size_t i = 0; i < WIRE_BLOCK_BYTES && done + i < length; i++) {
            data[done + i] ^= stream[i];
        }
    }
}
