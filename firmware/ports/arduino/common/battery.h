/* A battery on an analogue pin. Build settings:
 *
 *     INKLING_BATTERY_PIN    number of the pin
 *     INKLING_BATTERY_RATIO  battery's to pin's voltage, in hundredths: 200 for two equal resistors. Default: 100
 */
#pragma once

#include <stdint.h>

#ifdef INKLING_BATTERY_PIN
#ifndef INKLING_BATTERY_RATIO
#define INKLING_BATTERY_RATIO 100
#endif

static_assert(INKLING_BATTERY_RATIO >= 100 && INKLING_BATTERY_RATIO <= 10000,
              "INKLING_BATTERY_RATIO must be 100..10000 (hundredths)");

/* Return the battery's voltage in millivolts, at most UINT16_MAX, from that at the pin. */
inline uint16_t battery_mv(uint32_t pin_mv) {
    constexpr uint32_t HIGHEST = UINT16_MAX;
    const uint32_t millivolts = pin_mv * uint32_t{INKLING_BATTERY_RATIO} / 100u;
    return static_cast<uint16_t>(millivolts < HIGHEST ? millivolts : HIGHEST);
}
#endif
