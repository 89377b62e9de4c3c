/* The board's radio chip. Each sibling of this folder implements one. All memory is static. */
#ifndef INKLING_ARDUINO_LORA_CHIP_H
#define INKLING_ARDUINO_LORA_CHIP_H

#include "radio.h"
#include "radiolib.h"

/* Reset and configure the chip, with CRC. Returns null if it does not respond or does not support the settings. */
PhysicalLayer *chip_set_up(const struct radio_settings &settings);

/* Ask the chip that was set up whether it is in its receive mode. */
bool chip_receives();

/* Common part of each chip_set_up(). more: the chip's own arguments of begin(), after the common ones. Returns the
 * chip, or null. */
template <class Chip, class... More>
PhysicalLayer *begin(Chip &chip, const struct radio_settings &settings, More... more) {
    constexpr uint8_t current_limit_ma = 140; /* RadioLib's default of 60 mA would limit the output power */
    const float megahertz = static_cast<float>(settings.frequency_hz) / 1e6f;
    const float kilohertz = static_cast<float>(settings.bandwidth_hz) / 1e3f;
    const bool good =
        chip.begin(megahertz, kilohertz, settings.spreading_factor, settings.coding_rate, settings.sync_word,
                   settings.power_dbm, settings.preamble_symbols, more...) == RADIOLIB_ERR_NONE &&
        chip.setCurrentLimit(current_limit_ma) == RADIOLIB_ERR_NONE &&
        (settings.implicit_bytes == 0u || chip.implicitHeader(settings.implicit_bytes) == RADIOLIB_ERR_NONE);
    return good ? &chip : nullptr;
}

#endif
