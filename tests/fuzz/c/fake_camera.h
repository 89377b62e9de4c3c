/* The camera of the board that the fuzzer owns. Implements camera.h: pictures of the encoder's very size, each another
 * one, and faults at fixed turns. */
#ifndef INKLING_FUZZ_FAKE_CAMERA_H
#define INKLING_FUZZ_FAKE_CAMERA_H

#include <stdint.h>

enum lens { LENS_LEFT_ALONE, LENS_NO_PICTURE, LENS_PICTURE };

/* A fresh camera, off. */
void lens_start(void);

/* What has been asked of it since the last look, and how it went; the pixels of the last picture. */
enum lens lens_look(void);
const uint8_t *lens_pixels(void);

#endif
