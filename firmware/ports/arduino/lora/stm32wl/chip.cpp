/* The radio inside an STM32WL: an SX126x, its antenna switched by pins of the chip, which the board's description in
 * the Arduino core names (variant_NUCLEO_WL55JC1.h for the NUCLEO-WL55JC). */
#include "../common/chip.h"

#include <SubGhz.h> /* RadioLib's way to the radio; named for PlatformIO, which does not see that RadioLib needs it */

#ifndef LORAWAN_RFSWITCH_PINS
#error "the Arduino core does not say how this board switches its antenna"
#endif
#ifndef INKLING_LORA_TCXO_MILLIVOLTS
#error "an STM32WL needs INKLING_LORA_TCXO_MILLIVOLTS (0: a crystal)"
#endif

namespace {

STM32WLx_Module module;
STM32WLx chip(&module);

static_assert(LORAWAN_RFSWITCH_PIN_COUNT + 2 == Module::RFSWITCH_MAX_PINS, "two pins have to stay unconnected");
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
    chip.setRfSwitchTable(switch_pins, switch_modes); /* first: it tells begin() which amplifiers there are */
    return begin(chip, settings, INKLING_LORA_TCXO_MILLIVOLTS / 1000.0f);
}
