/* An SX1276 on SPI, as in RFM95 modules, with the antenna on PA_BOOST. */
#include "../common/chip.h"

#if !defined(INKLING_LORA_SCK) || !defined(INKLING_LORA_MISO) || !defined(INKLING_LORA_MOSI) || \
    !defined(INKLING_LORA_CS) || !defined(INKLING_LORA_RESET) || !defined(INKLING_LORA_DIO0) || \
    !defined(INKLING_LORA_DIO1)
#error "an SX1276 needs INKLING_LORA_ SCK, MISO, MOSI, CS, RESET, DIO0 and DIO1"
#endif

namespace {

ArduinoHal hal(SPI);
Module module(&hal, INKLING_LORA_CS, INKLING_LORA_DIO0, INKLING_LORA_RESET, INKLING_LORA_DIO1);
SX1276 chip(&module);

} // namespace

PhysicalLayer *chip_set_up(const struct radio_settings &settings) {
    SPI.begin(INKLING_LORA_SCK, INKLING_LORA_MISO, INKLING_LORA_MOSI, INKLING_LORA_CS);
    return begin(chip, settings);
}

bool chip_receives() {
    return module.SPIgetRegValue(RADIOLIB_SX127X_REG_OP_MODE, 2, 0) == RADIOLIB_SX127X_RXCONTINUOUS;
}
