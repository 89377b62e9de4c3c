/* The core's access to the chip's cycle counter (DWT), whose header is others', as in core.h. */
#ifndef INKLING_ARDUINO_CYCLES_H
#define INKLING_ARDUINO_CYCLES_H

#pragma GCC system_header

#include <dwt.h>

#endif
