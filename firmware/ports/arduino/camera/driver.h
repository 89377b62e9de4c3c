/* The Arduino core's camera driver, and pins that hold their level in deep sleep, as system headers (see core.h). */
#ifndef INKLING_ARDUINO_CAMERA_DRIVER_H
#define INKLING_ARDUINO_CAMERA_DRIVER_H

#pragma GCC system_header

#include <driver/rtc_io.h>
#include <esp_camera.h>

#endif
