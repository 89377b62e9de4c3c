/* The SX126x radio inside an STM32WL. Pins of the chip switch the antenna; the board's variant header in the Arduino
 * core names them (variant_NUCLEO_WL55JC1.h for the NUCLEO-WL55JC). */
#include "../common/chip.h"

#include <SubGhz.h> /* used by RadioLib; named for PlatformIO, which does not find it there */

#ifndef LORAWAN_RFSWITCH_PINS
#error "no LORAWAN_RFSWITCH_PINS: the Arduino core does not define how this board switches its antenna"
#endif
#ifndef INKLING_LORA_TCXO_MILLIVOLTS
#error "an STM32WL needs INKLING_LORA_TCXO_MILLIVOLTS (0: crystal)"
#endif

namespace {

/* The status is for derived classes only. Its bits 6..4 are the chip's mode (SX1261/2 data sheet, 13.5.1). */
class Radio : public STM32WLx {
  public:
    using STM32WLx::STM32WLx;

    bool receives() {
        return (getStatus() & STATUS_MODE) == RADIOLIB_SX126X_STATUS_MODE_RX;
    }

  private:
    static constexpr uint8_t STATUS_MODE = 0x70;
};

STM32WLx_Module module;
Radio chip(&module);

static_assert(LORAWAN_RFSWITCH_PIN_COUNT + 2 == Module::RFSWITCH_MAX_PINS, "switch_pins leaves two pins unconnected");
const uint32_t switch_pins[] = {LORAWAN_RFSWITCH_PINS, RADIOLIB_NC, RADIOLIB_NC};

const Module::RfSwitchMode_t switch_modes[] = {
    {STM32WLx::MODE_IDLE, {LORAWAN_RFSWITCH_OFF_VALUES}},
    {STM32WLx::MODE_RX, {LORAWAN_RFSWITCH_RX_VALUES}},
    {STM32WLx::MODE_TX_LP, {LORAWAN_RFSWITCH_RFO_LP_VALUES}},
    {STM32WLx::MODE_TX_HP, {LORAWAN_RFSWITCH_RFO_HP_VALUES}},
    END_OF_MODE_TABLE,
};

} // namespace

PhysicalLayer *chip_set_up(const struct radio_settings &settings) {
    chip.setRfSwitchTable(switch_pins, switch_modes); /* before begin(), which picks the amplifier by it */
    return begin(chip, settings, INKLING_LORA_TCXO_MILLIVOLTS / 1000.0f);
}

bool chip_receives() {
    return chip.receives();
}
