#include "fake_camera.h"

#include "answers.h"
#include "camera.h"
#include "capture.h"
#include "encoder.h"

/* Faults: every 3rd start, and every 4th and 5th image. */
#define NO_START 3u
#define NO_IMAGE 4u
#define BAD_IMAGE 5u

static uint8_t pixels[INKLING_INPUT_BYTES];
static enum fake_camera_use last_use;
static bool on;
static bool lent;   /* an image has not been released */
static bool broken; /* until the next start */
static unsigned starts;
static unsigned takes;

void fake_camera_start(void) {
    capture_stop();
    last_use = CAMERA_UNUSED;
    starts = takes = 0;
}

enum fake_camera_use fake_camera_last_use(void) {
    const enum fake_camera_use use = last_use;
    require(!lent, "the image to be released");
    last_use = CAMERA_UNUSED;
    return use;
}

const uint8_t *fake_camera_pixels(void) {
    return pixels;
}

bool camera_start(void) {
    require(!on, "a single start of the camera");
    last_use = CAMERA_FAILED;
    on = ++starts % NO_START != 0;
    return on;
}

bool camera_take(struct camera_image *image) {
    require(on && !lent, "a camera that is on, and one image at a time");
    require(!broken, "a restart of the camera after a fault");
    const unsigned turn = ++takes;
    last_use = CAMERA_FAILED;
    broken = turn % NO_IMAGE == 0 || turn % BAD_IMAGE == 0;
    if (turn % NO_IMAGE == 0) {
        return false;
    }
    for (uint32_t i = 0; i < INKLING_INPUT_BYTES; i++) {
        pixels[i] = (uint8_t)(13u * i + 20u * turn + 1u); /* turn 7: the stub encoder fails */
    }
    *image = (struct camera_image){
        .pixels = pixels,
        .width = INKLING_WIDTH,
        .height = INKLING_HEIGHT,
        .format = INKLING_CHANNELS == 1u ? CAMERA_GREY : CAMERA_RGB888,
    };
    lent = true;
    if (turn % BAD_IMAGE == 0) {
        image->width = 0;
    } else {
        last_use = CAMERA_GAVE_IMAGE;
    }
    return true;
}

void camera_release(void) {
    require(lent, "an image to release");
    lent = false;
}

void camera_stop(void) {
    require(on && !lent, "a camera to stop, without an image in use");
    on = broken = false;
}
