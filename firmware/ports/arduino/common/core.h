/* The Arduino core. Its headers are others' and not ours to keep free of warnings: they count as the system's. */
#ifndef INKLING_ARDUINO_CORE_H
#define INKLING_ARDUINO_CORE_H

#pragma GCC system_header

#include <Arduino.h>

#endif
