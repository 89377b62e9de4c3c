/* Scaling of an image of any size to the encoder's input. Gives the same pixels as host/image/load.py. */
#ifndef INKLING_CAMERA_FIT_H
#define INKLING_CAMERA_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "camera.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FIT_MAX_SIZE 16384u /* pixels per side, of the image and of the target */

struct fit_target {
    uint8_t *pixels; /* height * width * channels values, row by row, channels last */
    uint16_t height;
    uint16_t width;
    uint8_t channels; /* 1: grey, the luma of ITU-R BT.601; 3: red, green, blue */
    uint32_t *sums;   /* scratch: width * channels values */
};

/* Crop the centre of the image to the target's aspect ratio and scale it: each target pixel is the mean of the image
 * pixels whose centres lie in it; where the image is smaller, pixels are repeated. RGB565 is expanded to 8 bits by
 * repeating the upper bits. Returns false for an invalid size, format or channel count. */
bool fit_crop(const struct camera_image *image, const struct fit_target *target);

/* Scale the whole image without cropping; the aspect ratio may change. Otherwise like fit_crop(). */
bool fit_whole(const struct camera_image *image, const struct fit_target *target);

#ifdef __cplusplus
}
#endif

#endif
