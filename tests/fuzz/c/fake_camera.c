#include "fake_camera.h"

#include "answers.h"
#include "camera.h"
#include "capture.h"
#include "encoder.h"

#define NO_START 3u /* every so many */
#define NO_PICTURE 4u
#define BAD_PICTURE 5u

static uint8_t pixels[INKLING_INPUT_BYTES];
static enum lens state;
static bool on;
static bool lent;   /* a picture that has not been released */
static bool broken; /* until it is started anew */
static unsigned starts;
static unsigned takes;

void lens_start(void) {
    capture_stop();
    state = LENS_LEFT_ALONE;
    starts = takes = 0;
}

enum lens lens_look(void) {
    const enum lens was = state;
    require(!lent, "a picture that is released");
    state = LENS_LEFT_ALONE;
    return was;
}

const uint8_t *lens_pixels(void) {
    return pixels;
}

bool camera_start(void) {
    require(!on, "a camera that is started once");
    state = LENS_NO_PICTURE;
    on = ++starts % NO_START != 0;
    return on;
}

bool camera_take(struct camera_image *picture) {
    require(on && !lent, "a camera that is on, and one picture at a time");
    require(!broken, "a camera that is started anew after a fault");
    const unsigned turn = ++takes;
    state = LENS_NO_PICTURE;
    broken = turn % NO_PICTURE == 0 || turn % BAD_PICTURE == 0;
    if (turn % NO_PICTURE == 0) {
        return false;
    }
    for (uint32_t i = 0; i < INKLING_INPUT_BYTES; i++) {
        pixels[i] = (uint8_t)(13u * i + 20u * turn + 1u); /* of turn 7, the stub encoder makes nothing */
    }
    *picture = (struct camera_image){
        .pixels = pixels,
        .width = INKLING_WIDTH,
        .height = INKLING_HEIGHT,
        .format = INKLING_CHANNELS == 1u ? CAMERA_GREY : CAMERA_RGB888,
    };
    lent = true;
    if (turn % BAD_PICTURE == 0) {
        picture->width = 0;
    } else {
        state = LENS_PICTURE;
    }
    return true;
}

void camera_release(void) {
    require(lent, "a picture to release");
    lent = false;
}

void camera_stop(void) {
    require(on && !lent, "a camera to stop");
    on = broken = false;
}
