/* Faster ADD for the generated network. BakeNN's portable ADD uses 64-bit divisions, which take a third of the
 * encoder's time on Cortex-M4; this one gives the same bits without them. The arithmetic is that of TFLite's reference
 * kernel: gemmlowp's rounding doubling high multiplication, then a shift that rounds halves away from zero. The linker
 * replaces BakeNN's function by --wrap (platformio.ini). */
#include <stddef.h>
#include <stdint.h>

struct scale {
    int32_t multiplier; /* Q31 */
    uint32_t left;      /* TFLite's shift plus 1, for the doubling */
    uint32_t right;
    int32_t half;
    int32_t sign; /* mask of the bit of a value that makes halves round down */
};

static struct scale make_scale(int32_t multiplier, int32_t shift) {
    const uint32_t right = shift < 0 ? (uint32_t)-shift : 0u;
    const struct scale scale = {
        .multiplier = multiplier,
        .left = 1u + (shift > 0 ? (uint32_t)shift : 0u),
        .right = right,
        .half = right > 0u ? INT32_C(1) << (right - 1u) : 0,
        .sign = right > 0u ? INT32_MIN : 0,
    };
    return scale;
}

/* Values in ADD stay below 2^29, so doubling first cannot overflow, and the multiplication is a single instruction
 * (smmulr). GCC and Clang shift negative numbers arithmetically. */
static inline int32_t rescale(int32_t value, struct scale scale) {
    const int64_t product = (int64_t)(int32_t)((uint32_t)value << scale.left) * scale.multiplier;
    const int32_t high = (int32_t)((product + (INT64_C(1) << 31)) >> 32);
    // cppcheck-suppress shiftTooManyBitsSigned
    return (high + scale.half + ((high & scale.sign) >> 31)) >> scale.right;
}

/* Add two int8 tensors of up to four dimensions; a stride of 0 repeats. The inputs, less their zero points, are brought
 * to a common scale with 20 extra bits and added. Declared here because only the linker refers to it. */
void __wrap_bknn_inkling_add_s8(const int8_t *a, const int8_t *b, int8_t *output, size_t dim0, size_t dim1, size_t dim2,
                                size_t dim3, size_t a_stride0, size_t a_stride1, size_t a_stride2, size_t a_stride3,
                                size_t b_stride0, size_t b_stride1, size_t b_stride2, size_t b_stride3, int32_t a_zero,
                                int32_t b_zero, int32_t output_zero, int32_t a_multiplier, int32_t a_shift,
                                int32_t b_multiplier, int32_t b_shift, int32_t output_multiplier, int32_t output_shift,
                                int32_t lowest, int32_t highest);

void __wrap_bknn_inkling_add_s8(const int8_t *a, const int8_t *b, int8_t *output, size_t dim0, size_t dim1, size_t dim2,
                                size_t dim3, size_t a_stride0, size_t a_stride1, size_t a_stride2, size_t a_stride3,
                                size_t b_stride0, size_t b_stride1, size_t b_stride2, size_t b_stride3, int32_t a_zero,
                                int32_t b_zero, int32_t output_zero, int32_t a_multiplier, int32_t a_shift,
                                int32_t b_multiplier, int32_t b_shift, int32_t output_multiplier, int32_t output_shift,
                                int32_t lowest, int32_t highest) {
    const struct scale a_scale = make_scale(a_multiplier, a_shift);
    const struct scale b_scale = make_scale(b_multiplier, b_shift);
    const struct scale output_scale = make_scale(output_multiplier, output_shift);
    for (size_t i0 = 0; i0 < dim0; i0++) {
        for (size_t i1 = 0; i1 < dim1; i1++) {
            for (size_t i2 = 0; i2 < dim2; i2++) {
                const int8_t *a_next = a + i0 * a_stride0 + i1 * a_stride1 + i2 * a_stride2;
                const int8_t *b_next = b + i0 * b_stride0 + i1 * b_stride1 + i2 * b_stride2;
                for (size_t i3 = 0; i3 < dim3; i3++) {
                    const int32_t sum = rescale((*a_next - a_zero) * (1 << 20), a_scale) +
                                        rescale((*b_next - b_zero) * (1 << 20), b_scale);
                    int32_t value = rescale(sum, output_scale) + output_zero;
                    value = value < lowest ? lowest : value;
                    value = value > highest ? highest : value;
                    *output++ = (int8_t)value;
                    a_next += a_stride3;
                    b_next += b_stride3;
                }
            }
        }
    }
}
