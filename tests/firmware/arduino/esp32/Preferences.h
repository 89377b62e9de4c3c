/* Mock of Arduino core 2.0.17 for the ESP32 family: libraries/Preferences/src/Preferences.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

class Preferences {
  public:
    bool begin(const char *name, bool readOnly = false, const char *partition_label = NULL);
    size_t putULong64(const char *key, uint64_t value);
    size_t putBytes(const char *key, const void *value, size_t len);
    size_t getBytes(const char *key, void *buf, size_t maxLen);
    uint64_t getULong64(const char *key, uint64_t defaultValue = 0);
};
