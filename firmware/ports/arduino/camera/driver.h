/* The camera driver that the Arduino core brings along. Its headers are others', as in core.h. */
#ifndef INKLING_ARDUINO_CAMERA_DRIVER_H
#define INKLING_ARDUINO_CAMERA_DRIVER_H

#pragma GCC system_header

#include <esp_camera.h>

#endif
