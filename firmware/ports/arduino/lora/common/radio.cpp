/* radio.h by RadioLib: plain LoRa, point to point. Packets with a wrong CRC are returned too. */
#include "radio.h"

#include <math.h>

#include "chip.h"

#include <RadioLib.h> /* again, by name: PlatformIO does not search a port's headers for the libraries it needs */

namespace {

PhysicalLayer *chip; /* null: no radio responded */
bool implicit_header;
bool listening;
volatile bool interrupted; /* a packet was received or sent: the chips have one pin for both */

#ifdef ESP_PLATFORM
IRAM_ATTR
#endif
void on_interrupt() {
    interrupted = true;
}

int16_t quarters(float value) {
    return static_cast<int16_t>(lroundf(value * 4.0f));
}

/* Return true if readData() copied the packet's bytes. For an SX127x, RadioLib reports a damaged header when the header
 * announces no CRC; with an implicit header, it does so for every good packet. */
bool is_copied(int16_t state) {
    return state == RADIOLIB_ERR_NONE || state == RADIOLIB_ERR_CRC_MISMATCH ||
           state == RADIOLIB_ERR_LORA_HEADER_DAMAGED;
}

bool is_crc_ok(int16_t state) {
    return state == RADIOLIB_ERR_NONE || (implicit_header && state == RADIOLIB_ERR_LORA_HEADER_DAMAGED);
}

} // namespace

bool radio_start(const struct radio_settings *settings) {
    listening = false;
    if (chip != nullptr) { /* a chip that fails to restart must not interrupt again */
        chip->clearPacketReceivedAction();
    }
    interrupted = false; /* nor may an edge before the restart pass for a packet after it */
    chip = chip_set_up(*settings);
    implicit_header = settings->implicit_bytes != 0u;
    if (chip != nullptr) {
        chip->setPacketReceivedAction(on_interrupt);
    }
    return chip != nullptr;
}

bool radio_send(const uint8_t *packet, size_t length) {
    listening = false;
    const bool sent = chip != nullptr && chip->transmit(packet, length) == RADIOLIB_ERR_NONE;
    interrupted = false; /* raised by the end of the transmission */
    return sent;
}

bool radio_listen() {
    listening = chip != nullptr && chip->startReceive() == RADIOLIB_ERR_NONE;
    return listening;
}

bool radio_listening() {
    return listening;
}

/* A missed edge would be the last one: the pin stays high until the packet is read. */
bool radio_receives() {
    if (!listening || !chip_receives()) {
        return false;
    }
    if (chip->checkIrq(RADIOLIB_IRQ_RX_DONE) == 1) {
        interrupted = true;
    }
    return true;
}

size_t radio_receive(uint8_t packet[RADIO_MAX_BYTES], struct radio_reception *reception) {
    if (!interrupted || !listening) { /* a radio that does not respond may still raise its pin */
        return 0;
    }
    interrupted = false; /* before reading the packet: the next one may arrive meanwhile */
    const size_t length = chip->getPacketLength();
    if (length == 0 || length > RADIO_MAX_BYTES) {
        radio_listen();
        return 0;
    }
    const int16_t state = chip->readData(packet, length);
    reception->crc_ok = is_crc_ok(state);
    reception->rssi_quarter_dbm = quarters(chip->getRSSI());
    reception->snr_quarter_db = quarters(chip->getSNR());
    radio_listen();
    return is_copied(state) ? length : 0;
}

void radio_sleep() {
    listening = false;
    if (chip != nullptr) {
        chip->sleep();
    }
}
