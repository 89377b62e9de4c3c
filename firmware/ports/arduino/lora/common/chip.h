/* The radio chip of this board: each folder beside this one drives one. All memory is static. */
#ifndef INKLING_ARDUINO_LORA_CHIP_H
#define INKLING_ARDUINO_LORA_CHIP_H

#include "radio.h"
#include "radiolib.h"

/* Resets the chip and sets it up as asked, CRC on. Null when it does not answer or cannot do it. */
PhysicalLayer *chip_set_up(const struct radio_settings &settings);

/* What all chips have in common, for a chip_set_up(): `more` goes behind the arguments of begin() that all chips take.
 * The chip, or null. */
template <class Chip, class... More>
PhysicalLayer *begin(Chip &chip, const struct radio_settings &settings, More... more) {
    constexpr uint8_t current_limit_ma = 140; /* RadioLib's 60 would cut the power short that was asked for */
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
