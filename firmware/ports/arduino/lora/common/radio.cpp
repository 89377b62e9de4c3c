/* radio.h over RadioLib: plain LoRa, point to point. A packet whose CRC is wrong is handed over all the same. */
#include "radio.h"

#include <math.h>

#include "chip.h"

#include <RadioLib.h> /* once more, by name: PlatformIO looks into no header of a port for the libraries it needs */

namespace {

PhysicalLayer *chip; /* null: no radio that answers */
bool implicit_header;
bool listening;
volatile bool interrupted; /* a packet came, or one has gone out: the chips have one pin for both */

#ifdef ESP_PLATFORM
IRAM_ATTR
#endif
void on_interrupt() {
    interrupted = true;
}

int16_t quarters(float value) {
    return static_cast<int16_t>(lroundf(value * 4.0f));
}

/* Whether readData() has copied a packet's bytes. A SX127x calls a packet damaged whose header says that it has no CRC;
 * where there is no header, it calls every good one so. */
bool copied(int16_t state) {
    return state == RADIOLIB_ERR_NONE || state == RADIOLIB_ERR_CRC_MISMATCH ||
           state == RADIOLIB_ERR_LORA_HEADER_DAMAGED;
}

bool crc_right(int16_t state) {
    return state == RADIOLIB_ERR_NONE || (implicit_header && state == RADIOLIB_ERR_LORA_HEADER_DAMAGED);
}

} // namespace

bool radio_start(const struct radio_settings *settings) {
    listening = false;
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
    interrupted = false; /* that was the end of the transmission */
    return sent;
}

bool radio_listen() {
    listening = chip != nullptr && chip->startReceive() == RADIOLIB_ERR_NONE;
    return listening;
}

bool radio_listening() {
    return listening;
}

size_t radio_receive(uint8_t packet[RADIO_MAX_BYTES], struct radio_reception *reception) {
    if (!interrupted) {
        return 0;
    }
    interrupted = false; /* before the packet is read: the next one may come while it is */
    const size_t length = chip->getPacketLength();
    if (length == 0 || length > RADIO_MAX_BYTES) {
        radio_listen();
        return 0;
    }
    const int16_t state = chip->readData(packet, length);
    reception->crc_ok = crc_right(state);
    reception->rssi_quarter_dbm = quarters(chip->getRSSI());
    reception->snr_quarter_db = quarters(chip->getSNR());
    radio_listen();
    return copied(state) ? length : 0;
}

void radio_sleep() {
    if (chip != nullptr) {
        chip->sleep();
    }
}
