/* Mock of ESP-IDF 4.4: memory sections, which the host does not have. */
#pragma once

#define IRAM_ATTR
#define RTC_DATA_ATTR
#define RTC_NOINIT_ATTR
