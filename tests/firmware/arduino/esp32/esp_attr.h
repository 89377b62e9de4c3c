/* Of ESP-IDF 4.4: sections of memory, which the host has not. */
#pragma once

#define IRAM_ATTR
#define RTC_DATA_ATTR
