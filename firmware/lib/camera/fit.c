/* Scales along the rows, then down the columns, and rounds to 8 bits after each, with weights of 22 fractional bits.
 * Pillow's BOX filter, which the host uses, does the same. */
#include "fit.h"

#include <string.h>

#define WEIGHT_BITS 22

/* The windows along one axis. With scale = n / d, target pixel i covers the image from
 * (size - out * scale) / 2 + i * scale on and averages the pixels whose centres lie in there. Its window starts at
 * pixel floor((size * d - out * n + 2 * i * n + d) / (2 * d)), computed without divisions: each step adds whole + part
 * / (2 d). Where the scale is below 1, a target pixel takes the one image pixel that contains its centre. */
struct axis {
    uint32_t first;     /* first pixel of the current window */
    uint32_t remainder; /* of the floor, in 1 / (2 d) */
    uint32_t whole;
    uint32_t part;
    uint32_t denominator;
    uint32_t weight[2]; /* of a pixel in a window of `whole` pixels, and of whole + 1 */
    bool averages;
};

static uint32_t weight_of(uint32_t count) {
    return ((2u << WEIGHT_BITS) + count) / (2u * count);
}

static struct axis axis_start(uint32_t size, uint32_t out, uint32_t n, uint32_t d) {
    const bool averages = n >= d;
    const uint64_t start = (uint64_t)size * d - (uint64_t)out * n + (averages ? d : n);
    const uint32_t whole = n / d;
    return (struct axis){
        .first = (uint32_t)(start / (2u * d)),
        .remainder = (uint32_t)(start % (2u * d)),
        .whole = whole,
        .part = 2u * (n % d),
        .denominator = 2u * d,
        .weight = {averages ? weight_of(whole) : 0u, weight_of(whole + 1u)},
        .averages = averages,
    };
}

/* Advance to the next window; return the number of pixels in the previous one. */
static uint32_t axis_next(struct axis *axis) {
    const uint32_t first = axis->first;
    axis->first += axis->whole;
    axis->remainder += axis->part;
    if (axis->remainder >= axis->denominator) {
        axis->remainder -= axis->denominator;
        axis->first++;
    }
    return axis->averages ? axis->first - first : 1u;
}

static uint8_t mean(uint32_t sum, uint32_t count, const struct axis *axis) {
    return (uint8_t)((sum * axis->weight[count - axis->whole] + (1u << (WEIGHT_BITS - 1))) >> WEIGHT_BITS);
}

static uint32_t bytes_per_pixel(enum camera_format format) {
    return format == CAMERA_RGB888 ? 3u : format == CAMERA_RGB565 ? 2u : 1u;
}

struct colour {
    uint32_t red;
    uint32_t green;
    uint32_t blue;
};

static inline struct colour colour_at(const uint8_t *pixel, enum camera_format format) {
    if (format == CAMERA_RGB565) {
        const uint32_t red = pixel[0] >> 3;
        const uint32_t green = (uint32_t)(pixel[0] & 7u) << 3 | pixel[1] >> 5;
        const uint32_t blue = pixel[1] & 31u;
        return (struct colour){red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2};
    }
    if (format == CAMERA_RGB888) {
        return (struct colour){pixel[0], pixel[1], pixel[2]};
    }
    return (struct colour){pixel[0], pixel[0], pixel[0]};
}

/* ITU-R BT.601, in 1/65536. The weights add up to one, so grey stays unchanged. */
static inline uint32_t luma(struct colour colour) {
    return (19595u * colour.red + 38470u * colour.green + 7471u * colour.blue + 0x8000u) >> 16;
}

/* Add the means of one image row's windows to the target's sums. */
static void add_row(const struct camera_image *image, uint32_t y, struct axis axis, const struct fit_target *target) {
    const uint32_t bytes = bytes_per_pixel(image->format);
    const uint8_t *row = image->pixels + (size_t)y * image->width * bytes;
    uint32_t *sums = target->sums;
    for (uint32_t x = 0; x < target->width; x++) {
        const uint8_t *pixel = row + (size_t)axis.first * bytes;
        const uint32_t count = axis_next(&axis);
        struct colour sum = {0, 0, 0};
        for (uint32_t i = 0; i < count; i++) {
            const struct colour colour = colour_at(pixel, image->format);
            if (target->channels == 1u) {
                sum.red += luma(colour);
            } else {
                sum.red += colour.red;
                sum.green += colour.green;
                sum.blue += colour.blue;
            }
            pixel += bytes;
        }
        *sums++ += mean(sum.red, count, &axis);
        if (target->channels == 3u) {
            *sums++ += mean(sum.green, count, &axis);
            *sums++ += mean(sum.blue, count, &axis);
        }
    }
}

static void average(const struct camera_image *image, struct axis across, struct axis down,
                    const struct fit_target *target) {
    const uint32_t values = (uint32_t)target->width * target->channels;
    uint8_t *out = target->pixels;
    for (uint32_t y = 0; y < target->height; y++) {
        const uint32_t first = down.first;
        const uint32_t count = axis_next(&down);
        memset(target->sums, 0, values * sizeof *target->sums);
        for (uint32_t row = 0; row < count; row++) {
            add_row(image, first + row, across, target);
        }
        for (uint32_t i = 0; i < values; i++) {
            *out++ = mean(target->sums[i], count, &down);
        }
    }
}

static bool is_valid_size(uint32_t height, uint32_t width) {
    return height >= 1u && height <= FIT_MAX_SIZE && width >= 1u && width <= FIT_MAX_SIZE;
}

static bool is_valid(const struct camera_image *image, const struct fit_target *target) {
    return is_valid_size(image->height, image->width) && is_valid_size(target->height, target->width) &&
           (target->channels == 1u || target->channels == 3u) && image->format >= CAMERA_GREY &&
           image->format <= CAMERA_RGB888;
}

bool fit_crop(const struct camera_image *image, const struct fit_target *target) {
    if (!is_valid(image, target)) {
        return false;
    }
    const uint32_t height = image->height;
    const uint32_t width = image->width;
    const bool crops_sides = width * target->height > height * target->width;
    const uint32_t n = crops_sides ? height : width;
    const uint32_t d = crops_sides ? target->height : target->width;
    average(image, axis_start(width, target->width, n, d), axis_start(height, target->height, n, d), target);
    return true;
}

bool fit_whole(const struct camera_image *image, const struct fit_target *target) {
    if (!is_valid(image, target)) {
        return false;
    }
    average(image, axis_start(image->width, target->width, image->width, target->width),
            axis_start(image->height, target->height, image->height, target->height), target);
    return true;
}
