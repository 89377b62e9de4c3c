/* A picture of any size as the encoder takes it: the same pixels that host/image.py makes of it. */
#ifndef INKLING_CAMERA_FIT_H
#define INKLING_CAMERA_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "camera.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FIT_MAX_SIZE 16384u /* pixels of a side, before and after */

/* Pixels, uint8, row by row, channels last. */
struct fit_target {
    uint8_t *pixels;
    uint16_t height;
    uint16_t width;
    uint8_t channels; /* 1: grey, by the luma of ITU-R BT.601; 3: red, green, blue */
    uint32_t *sums;   /* scratch, width * channels */
};

/* Cuts the picture centrally to the target's aspect ratio and averages it down (or repeats its pixels up): each pixel
 * of the target is the mean of the picture's pixels whose centres lie in its place. The 5 and 6 bits of RGB565 become
 * 8 by repeating their upper ones below. False when a size or the format is none. */
bool fit_crop(const struct camera_image *picture, const struct fit_target *target);

/* The same of the whole picture, which is stretched or squeezed instead of cut. */
bool fit_whole(const struct camera_image *picture, const struct fit_target *target);

#ifdef __cplusplus
}
#endif

#endif
