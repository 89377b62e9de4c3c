/* Camera interface. A port with a camera implements it and sets INKLING_CAMERA=1. */
#ifndef INKLING_CAMERA_H
#define INKLING_CAMERA_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum camera_format {
    CAMERA_GREY = 1,   /* 1 byte per pixel */
    CAMERA_RGB565 = 2, /* 2 bytes per pixel, most significant first, as an OV2640 sends them */
    CAMERA_RGB888 = 3  /* 3 bytes per pixel: red, green, blue */
};

struct camera_image {
    const uint8_t *pixels; /* row by row, without gaps */
    uint16_t width;
    uint16_t height;
    enum camera_format format;
};

/* Power up the camera and wait until its exposure has settled. Returns false if it does not respond. */
bool camera_start(void);

/* Capture an image; its pixels are valid until camera_release(). Returns false if the camera gave none or only a part.
 */
bool camera_take(struct camera_image *image);

void camera_release(void);

/* Power down the camera, before the board sleeps. */
void camera_stop(void);

#ifdef __cplusplus
}
#endif

#endif
