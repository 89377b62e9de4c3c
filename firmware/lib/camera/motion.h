/* Motion detection: mean absolute difference of two small grey thumbnails. Each thumbnail pixel is a mean of many image
 * pixels, which averages out the sensor's noise. */
#ifndef INKLING_CAMERA_MOTION_H
#define INKLING_CAMERA_MOTION_H

#include <stdbool.h>
#include <stdint.h>

#include "camera.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOTION_SIDE 16u
#define MOTION_PIXELS (MOTION_SIDE * MOTION_SIDE)

/* Scale the image to MOTION_SIDE x MOTION_SIDE grey pixels. Returns false for an invalid size or format. */
bool motion_thumbnail(const struct camera_image *image, uint8_t thumbnail[MOTION_PIXELS]);

/* Return true if the mean absolute difference is at least `threshold` grey levels. */
bool motion_differs(const uint8_t a[MOTION_PIXELS], const uint8_t b[MOTION_PIXELS], uint32_t threshold);

#ifdef __cplusplus
}
#endif

#endif
