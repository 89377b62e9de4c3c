/* The Arduino core's access to the cycle counter (DWT), as a system header (see core.h). */
#ifndef INKLING_ARDUINO_CYCLES_H
#define INKLING_ARDUINO_CYCLES_H

#pragma GCC system_header

#include <dwt.h>

#endif
