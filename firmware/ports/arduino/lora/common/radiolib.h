/* RadioLib, as a system header (see core.h). */
#ifndef INKLING_ARDUINO_RADIOLIB_H
#define INKLING_ARDUINO_RADIOLIB_H

#pragma GCC system_header

#include <RadioLib.h>

#endif
