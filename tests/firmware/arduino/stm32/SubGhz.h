/* Mock of STM32duino core 2.12.0: libraries/SubGhz, which only RadioLib uses. */
#pragma once
