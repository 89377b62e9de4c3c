/* Air time of LoRa packets. */
#ifndef INKLING_AIR_TIME_H
#define INKLING_AIR_TIME_H

#include <stddef.h>
#include <stdint.h>

#include "radio.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Return the air time, in microseconds rounded up, of a packet of `bytes` bytes plus the radio's CRC, from the first
 * preamble symbol to the last payload symbol (Semtech SX1276 data sheet, section 4.1.1.7; AN1200.13). Low data rate
 * optimisation is on where a symbol takes 16 ms or more, as in the chips' drivers. UINT32_MAX from 71 minutes on. */
uint32_t radio_air_time_micros(const struct radio_settings *settings, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
