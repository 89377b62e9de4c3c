#include "capture.h"

#if INKLING_CAMERA

#include "camera.h"
#include "encoder.h"
#include "fit.h"

_Static_assert(INKLING_CHANNELS == 1u || INKLING_CHANNELS == 3u, "an encoder for camera images has 1 or 3 channels");

static bool started;

static bool take(void) {
    static uint32_t sums[INKLING_WIDTH * INKLING_CHANNELS];
    const struct fit_target input = {
        .pixels = (uint8_t *)encoder_input(),
        .height = INKLING_HEIGHT,
        .width = INKLING_WIDTH,
        .channels = INKLING_CHANNELS,
        .sums = sums,
    };
    struct camera_image image;
    if (!camera_take(&image)) {
        return false;
    }
    const bool fits = fit_crop(&image, &input);
    camera_release();
    return fits;
}

enum wire_error capture_take(void) {
    started = started || camera_start();
    if (started && take()) {
        return WIRE_ERROR_NONE;
    }
    capture_stop(); /* the next capture restarts it, which may help */
    return WIRE_ERROR_CAMERA;
}

void capture_stop(void) {
    if (started) {
        camera_stop();
        started = false;
    }
}

#endif
