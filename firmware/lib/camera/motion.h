/* Whether anything has moved between two looks: the mean absolute difference of small grey pictures. Each of their
 * pixels is a mean of many of the camera's, in which the sensor's noise averages out. */
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

/* The picture as MOTION_SIDE x MOTION_SIDE grey pixels. False when it is none. */
bool motion_thumbnail(const struct camera_image *picture, uint8_t thumbnail[MOTION_PIXELS]);

/* Whether the two differ by at least this many grey levels in the mean. */
bool motion_differs(const uint8_t a[MOTION_PIXELS], const uint8_t b[MOTION_PIXELS], uint32_t levels);

#ifdef __cplusplus
}
#endif

#endif
