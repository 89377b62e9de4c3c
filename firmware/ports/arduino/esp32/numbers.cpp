/* Permanent memory of the ESP32 family: entries in the core's non-volatile storage, a log in flash with checksums that
 * survives a loss of power at any time (ESP-IDF, "Non-Volatile Storage Library").
 *
 * The numbers are one entry, which is written often. Device keys are another one: the present key and the one before
 * it, each with the limit that was written right after it. A key whose limit is above that of the numbers has not taken
 * effect, or outlived its numbers: it is removed before it can meet a counter again. */
#include "../common/core.h"
#include "board.h"

#include <Preferences.h>
#include <string.h>

namespace {

constexpr const char *SPACE = "inkling";
constexpr const char *NUMBERS = "numbers";
constexpr const char *KEYS = "keys";

struct Key {
    uint32_t limit; /* 0: none */
    uint8_t bytes[BOARD_KEY_BYTES];
};

Preferences preferences;
Key keys[2]; /* the present one comes last */

bool write_keys() {
    Key read[2];
    return preferences.putBytes(KEYS, keys, sizeof keys) == sizeof keys &&
           preferences.getBytes(KEYS, read, sizeof read) == sizeof read && memcmp(keys, read, sizeof keys) == 0;
}

/* Remove the keys above the limit. Returns false if the storage does not work. */
bool read_keys(uint32_t limit) {
    if (preferences.getBytes(KEYS, keys, sizeof keys) != sizeof keys) {
        memset(keys, 0, sizeof keys);
    }
    if (keys[0].limit <= limit && keys[1].limit <= limit) {
        return true;
    }
    if (keys[1].limit > limit) {
        keys[1] = keys[0].limit <= limit ? keys[0] : Key{};
    }
    keys[0] = {};
    return write_keys();
}

} // namespace

bool board_numbers_read(struct board_numbers *numbers) {
    if (!preferences.begin(SPACE, false)) {
        return false;
    }
    const uint64_t both = preferences.getULong64(NUMBERS, 0); /* 0: none yet */
    *numbers = {};
    numbers->limit = static_cast<uint32_t>(both >> 32);
    numbers->boots = static_cast<uint32_t>(both);
    if (!read_keys(numbers->limit)) {
        numbers->key_state = BOARD_KEY_DAMAGED;
    } else if (keys[1].limit != 0u) {
        numbers->key_state = BOARD_KEY;
        memcpy(numbers->key, keys[1].bytes, sizeof numbers->key);
    }
    return true;
}

bool board_numbers_write(const struct board_numbers *numbers) {
    const bool is_old = keys[1].limit != 0u && memcmp(keys[1].bytes, numbers->key, sizeof numbers->key) == 0;
    if (numbers->key_state == BOARD_KEY && !is_old) {
        keys[0] = keys[1];
        keys[1].limit = numbers->limit;
        memcpy(keys[1].bytes, numbers->key, sizeof numbers->key);
        if (!write_keys()) {
            return false;
        }
    }
    const uint64_t both = static_cast<uint64_t>(numbers->limit) << 32 | numbers->boots;
    return preferences.putULong64(NUMBERS, both) == sizeof both && preferences.getULong64(NUMBERS, 0) == both;
}
