/* Permanent memory of the ESP32 family: one entry in the core's non-volatile storage, a log in flash with checksums
 * that survives a loss of power at any time (ESP-IDF, "Non-Volatile Storage Library"). */
#include "../common/core.h"
#include "board.h"

#include <Preferences.h>

namespace {

constexpr const char *SPACE = "inkling";
constexpr const char *KEY = "numbers";

Preferences preferences;

} // namespace

bool board_numbers_read(struct board_numbers *numbers) {
    if (!preferences.begin(SPACE, false)) {
        return false;
    }
    const uint64_t both = preferences.getULong64(KEY, 0); /* 0: none yet */
    *numbers = {static_cast<uint32_t>(both >> 32), static_cast<uint32_t>(both)};
    return true;
}

bool board_numbers_write(const struct board_numbers *numbers) {
    const uint64_t both = static_cast<uint64_t>(numbers->limit) << 32 | numbers->boots;
    return preferences.putULong64(KEY, both) == sizeof both && preferences.getULong64(KEY, 0) == both;
}
