/* RadioLib. Its headers are others', as in core.h. */
#ifndef INKLING_ARDUINO_RADIOLIB_H
#define INKLING_ARDUINO_RADIOLIB_H

#pragma GCC system_header

#include <RadioLib.h>

#endif
