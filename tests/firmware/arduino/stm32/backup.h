/* Mock of STM32duino core 2.12.0: libraries/SrcWrapper/inc/stm32/backup.h. */
#pragma once

#include <stdint.h>

void enableBackupDomain();
void setBackupRegister(uint32_t index, uint32_t value);
uint32_t getBackupRegister(uint32_t index);
