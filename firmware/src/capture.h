/* The board's camera, with INKLING_CAMERA=1. Boards without one refuse. */
#ifndef INKLING_CAPTURE_H
#define INKLING_CAPTURE_H

#include "wire/control.h"

#if INKLING_CAMERA

/* Takes a picture into the encoder's input, bytes 0..255: cut centrally to its aspect ratio and averaged down. Starts
 * the camera if need be and leaves it on. Returns WIRE_ERROR_CAMERA, the input as it was, or WIRE_ERROR_NONE. */
enum wire_error capture_take(void);

/* Powers the camera down until the next picture. */
void capture_stop(void);

#else

static inline enum wire_error capture_take(void) {
    return WIRE_ERROR_CAMERA;
}

#endif

#endif
