/* An SX1262 on SPI, whose DIO2 switches the antenna. */
#include "../common/chip.h"

#if !defined(INKLING_LORA_SCK) || !defined(INKLING_LORA_MISO) || !defined(INKLING_LORA_MOSI) || \
    !defined(INKLING_LORA_CS) || !defined(INKLING_LORA_RESET) || !defined(INKLING_LORA_DIO1) || \
    !defined(INKLING_LORA_BUSY) || !defined(INKLING_LORA_TCXO_MILLIVOLTS)
#error "an SX1262 needs INKLING_LORA_ SCK, MISO, MOSI, CS, RESET, DIO1, BUSY and TCXO_MILLIVOLTS (0: crystal)"
#endif

namespace {

/* The status is for derived classes only. Its bits 6..4 are the chip's mode (SX1261/2 data sheet, 13.5.1). */
class Radio : public SX1262 {
  public:
    using SX1262::SX1262;

    bool receives() {
        return (getStatus() & STATUS_MODE) == RADIOLIB_SX126X_STATUS_MODE_RX;
    }

  private:
    static constexpr uint8_t STATUS_MODE = 0x70;
};

ArduinoHal hal(SPI);
Module module(&hal, INKLING_LORA_CS, INKLING_LORA_DIO1, INKLING_LORA_RESET, INKLING_LORA_BUSY);
Radio chip(&module);

} // namespace

PhysicalLayer *chip_set_up(const struct radio_settings &settings) {
    SPI.begin(INKLING_LORA_SCK, INKLING_LORA_MISO, INKLING_LORA_MOSI, INKLING_LORA_CS);
    return begin(chip, settings, INKLING_LORA_TCXO_MILLIVOLTS / 1000.0f);
}

bool chip_receives() {
    return chip.receives();
}
