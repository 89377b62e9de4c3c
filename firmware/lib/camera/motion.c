#include "motion.h"

#include "fit.h"

bool motion_thumbnail(const struct camera_image *image, uint8_t thumbnail[MOTION_PIXELS]) {
    uint32_t sums[MOTION_SIDE];
    const struct fit_target target = {
        .pixels = thumbnail,
        .height = MOTION_SIDE,
        .width = MOTION_SIDE,
        .channels = 1,
        .sums = sums,
    };
    return fit_whole(image, &target);
}

bool motion_differs(const uint8_t a[MOTION_PIXELS], const uint8_t b[MOTION_PIXELS], uint32_t threshold) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < MOTION_PIXELS; i++) {
        sum += a[i] > b[i] ? (uint32_t)(a[i] - b[i]) : (uint32_t)(b[i] - a[i]);
    }
    return sum >= threshold * MOTION_PIXELS;
}
