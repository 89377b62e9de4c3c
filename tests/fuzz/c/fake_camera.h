/* Fake camera of the fuzzed board; implements camera.h. Its images have the encoder's size and all differ; faults occur
 * at fixed counts. */
#ifndef INKLING_FUZZ_FAKE_CAMERA_H
#define INKLING_FUZZ_FAKE_CAMERA_H

#include <stdint.h>

enum fake_camera_use { CAMERA_UNUSED, CAMERA_FAILED, CAMERA_GAVE_IMAGE };

/* Reset the camera; it is off. */
void fake_camera_start(void);

/* Return the use of the camera since the last call. */
enum fake_camera_use fake_camera_last_use(void);

/* Return the pixels of the last image. */
const uint8_t *fake_camera_pixels(void);

#endif
