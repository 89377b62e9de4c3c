/* Mock of STM32duino core 2.12.0: libraries/SrcWrapper/inc/dwt.h. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

uint32_t dwt_init(void);
uint32_t dwt_getCycles(void);

#ifdef __cplusplus
}
#endif
