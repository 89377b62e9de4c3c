/* Of STM32duino core 2.12.0: libraries/SubGhz, which RadioLib alone uses. */
#pragma once
