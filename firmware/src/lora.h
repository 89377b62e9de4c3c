/* Radio settings, from build flags. Both ends of a link need the same. */
#ifndef INKLING_LORA_H
#define INKLING_LORA_H

#include "encoder.h"
#include "radio.h"

/* First default channel of EU868; 14 dBm and 1 % are the limits there (ETSI EN 300 220-2). */
#ifndef INKLING_LORA_FREQUENCY_HZ
#define INKLING_LORA_FREQUENCY_HZ 868100000
#endif
#ifndef INKLING_LORA_POWER_DBM
#define INKLING_LORA_POWER_DBM 14
#endif
#ifndef INKLING_LORA_DUTY_PERMILLE
#define INKLING_LORA_DUTY_PERMILLE 10
#endif

#ifndef INKLING_LORA_BANDWIDTH_HZ
#define INKLING_LORA_BANDWIDTH_HZ 125000
#endif
#ifndef INKLING_LORA_SPREADING_FACTOR
#define INKLING_LORA_SPREADING_FACTOR 7
#endif
#ifndef INKLING_LORA_CODING_RATE
#define INKLING_LORA_CODING_RATE 5 /* 5..8, for 4/5..4/8 */
#endif
#ifndef INKLING_LORA_PREAMBLE
#define INKLING_LORA_PREAMBLE 8
#endif
#ifndef INKLING_LORA_SYNC_WORD
#define INKLING_LORA_SYNC_WORD 0x12 /* private network */
#endif

/* 1: implicit header. The explicit header is what a weak signal damages first, and without it the packet is lost. Both
 * ends must know the length, so INKLING_LORA_CHUNK is all that is sent: one chunk, or 254 for answers, the default of a
 * bundle without latent heads. */
#ifndef INKLING_LORA_IMPLICIT
#define INKLING_LORA_IMPLICIT 0
#endif
#ifndef INKLING_LORA_CHUNK
#if INKLING_SYMBOL_COUNT == 0u
#define INKLING_LORA_CHUNK 254
#else
#define INKLING_LORA_CHUNK 0
#endif
#endif

struct radio_settings lora_settings(void);

#endif
