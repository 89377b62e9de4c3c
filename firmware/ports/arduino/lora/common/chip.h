/* The radio chip of this board: each folder beside this one drives one. All memory is static. */
#ifndef INKLING_ARDUINO_LORA_CHIP_H
#define INKLING_ARDUINO_LORA_CHIP_H

#include "radio.h"
#include "radiolib.h"

/* Resets the chip and sets it up as asked, CRC on. Null when it does not answer or cannot do it. */
PhysicalLayer *chip_set_up(const struct radio_settings &settings);

/* RadioLib's units. */
inline float megahertz(uint32_t hertz) {
    return static_cast<float>(hertz) / 1e6f;
}

inline float kilohertz(uint32_t hertz) {
    return static_cast<float>(hertz) / 1e3f;
}

/* What the chips have in common after begin(). Whether all went well. */
template <class Chip> bool finish_set_up(Chip &chip, int16_t begun, const struct radio_settings &settings) {
    constexpr uint8_t current_limit_ma = 140; /* RadioLib's 60 would cut the power short that was asked for */
    return begun == RADIOLIB_ERR_NONE && chip.setCurrentLimit(current_limit_ma) == RADIOLIB_ERR_NONE &&
           (settings.implicit_bytes == 0u || chip.implicitHeader(settings.implicit_bytes) == RADIOLIB_ERR_NONE);
}

#endif
