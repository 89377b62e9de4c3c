/* A camera, on boards that have one. A port implements it; INKLING_CAMERA=1 says that it does. */
#ifndef INKLING_CAMERA_H
#define INKLING_CAMERA_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum camera_format {
    CAMERA_GREY = 1,   /* one byte a pixel */
    CAMERA_RGB565 = 2, /* two bytes a pixel, most significant first, as an OV2640 sends them */
    CAMERA_RGB888 = 3  /* red, green, blue */
};

struct camera_image {
    const uint8_t *pixels; /* row by row, without gaps */
    uint16_t width;
    uint16_t height;
    enum camera_format format;
};

/* Powers the camera up and waits until its exposure has settled. False when it does not answer. */
bool camera_start(void);

/* Takes a picture, which stays until camera_release(). False when none came. */
bool camera_take(struct camera_image *picture);

void camera_release(void);

/* Powers it down, before the board sleeps. */
void camera_stop(void);

#ifdef __cplusplus
}
#endif

#endif
