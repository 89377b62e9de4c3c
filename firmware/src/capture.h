/* Capture of images by the board's camera (INKLING_CAMERA=1). Without a camera it fails. */
#ifndef INKLING_CAPTURE_H
#define INKLING_CAPTURE_H

#include "wire/control.h"

#if INKLING_CAMERA

/* Capture an image into the encoder's input as bytes 0..255, cropped and scaled by fit_crop(). Starts the camera if
 * needed and leaves it on. Returns WIRE_ERROR_NONE, or WIRE_ERROR_CAMERA with the input unchanged. */
enum wire_error capture_take(void);

/* Power down the camera until the next capture. */
void capture_stop(void);

#else

static inline enum wire_error capture_take(void) {
    return WIRE_ERROR_CAMERA;
}

#endif

#endif
