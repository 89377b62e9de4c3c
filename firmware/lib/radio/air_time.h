/* How long a LoRa packet is on the air. */
#ifndef INKLING_AIR_TIME_H
#define INKLING_AIR_TIME_H

#include <stddef.h>
#include <stdint.h>

#include "radio.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Microseconds from the first preamble symbol to the last of the payload, rounded up, of a packet of `bytes` bytes with
 * the radio's CRC (Semtech SX1276 data sheet, section 4.1.1.7; AN1200.13). As the chips and their drivers have it, the
 * low data rate optimisation is on where a symbol takes 16 ms or more. UINT32_MAX for 71 minutes and more. */
uint32_t radio_air_time_micros(const struct radio_settings *settings, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
