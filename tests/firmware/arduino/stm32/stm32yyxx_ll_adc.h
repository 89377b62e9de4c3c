/* Mock of the core's stm32yyxx_ll_adc.h: what the chips with a stored reading of their internal reference have. */
#pragma once

#include <stdint.h>

#define LL_ADC_RESOLUTION_12B 4095u /* the highest reading */

constexpr uint32_t MOCK_VREFINT_CAL = 1504, MOCK_VREFINT_CAL_MV = 3300;

#define __LL_ADC_CALC_VREFANALOG_VOLTAGE(data, resolution) (MOCK_VREFINT_CAL * MOCK_VREFINT_CAL_MV / (data))
#define __LL_ADC_CALC_DATA_TO_VOLTAGE(vref, data, resolution) ((data) * (vref) / (resolution))
