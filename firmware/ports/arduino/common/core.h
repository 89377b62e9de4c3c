/* The Arduino core, as a system header: warnings in third-party headers are not errors. */
#ifndef INKLING_ARDUINO_CORE_H
#define INKLING_ARDUINO_CORE_H

#pragma GCC system_header

#include <Arduino.h>

#endif
