/* Mock of RadioLib's radios, backed by files: see machine.h. It imitates what a program depends on: one interrupt for
 * packets received and sent, the payload of a packet with a wrong CRC, the end of reception by sending, and for an
 * SX127x "header damaged" on every packet with an implicit header. */
#include <RadioLib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

SPIClass SPI;

namespace {

constexpr size_t MAX_BYTES = 255;

int16_t state; /* of the last packet */
float rssi;
float snr;
uint8_t bytes[MAX_BYTES];
size_t length;

void (*interrupt)();
bool listening;
bool reports_implicit_as_damaged;
size_t implicit_bytes;
int deaf_times = getenv("INKLING_DEAF") != nullptr ? atoi(getenv("INKLING_DEAF")) : 0; /* still to come */
bool had_outage;
int edges_to_lose = getenv("INKLING_LOST_EDGES") != nullptr ? atoi(getenv("INKLING_LOST_EDGES")) : 0;
bool received;      /* a packet is waiting to be read, and the pin is high */
bool deaf_pending;  /* once the program has started reception again */
bool out;           /* the outage has begun, and no start has succeeded since */
int failing_starts; /* of the outage, still to come */

/* Raise the pin. */
void edge() {
    note(interrupt != nullptr ? "edge" : "edge, nobody listens");
    if (interrupt != nullptr) {
        interrupt();
    }
}

/* Respond to begin(), or not. */
int16_t start() {
    if (broken() || (out && failing_starts-- > 0)) {
        return RADIOLIB_ERR_CHIP_NOT_FOUND;
    }
    out = false;
    return RADIOLIB_ERR_NONE;
}

/* Parse a line of INKLING_AIR as the received packet. */
void receive(const char *line) {
    char crc[8];
    char hex[2 * MAX_BYTES + 1];
    if (sscanf(line, "%7s %f %f %510s", crc, &rssi, &snr, hex) != 4) {
        abort();
    }
    length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        bytes[i] = static_cast<uint8_t>(byte);
    }
    const bool ok = strcmp(crc, "ok") == 0;
    if (strcmp(crc, "bad") == 0) {
        state = RADIOLIB_ERR_CRC_MISMATCH;
    } else if (!ok || (reports_implicit_as_damaged && implicit_bytes != 0)) {
        state = RADIOLIB_ERR_LORA_HEADER_DAMAGED;
    } else {
        state = RADIOLIB_ERR_NONE;
    }
}

} // namespace

void radio_poll() {
    static FILE *air = getenv("INKLING_AIR") != nullptr ? fopen(getenv("INKLING_AIR"), "r") : nullptr;
    char line[2 * MAX_BYTES + 64];
    if (listening && deaf_pending) {
        note("deaf");
        listening = deaf_pending = false;
    } else if (listening && !received && air != nullptr && fgets(line, sizeof line, air) != nullptr) {
        receive(line);
        received = true;
        if (!had_outage && getenv("INKLING_OUTAGE") != nullptr) {
            failing_starts = atoi(getenv("INKLING_OUTAGE"));
            had_outage = out = true;
        }
        if (edges_to_lose > 0) {
            note("edge lost");
            edges_to_lose--;
            return;
        }
        edge();
        deaf_pending = deaf_times-- > 0;
    } else if (out) {
        edge();
    }
}

void SPIClass::begin(int8_t sck, int8_t miso, int8_t mosi, int8_t ss) {
    note("spi %d %d %d %d", sck, miso, mosi, ss);
}

ArduinoHal::ArduinoHal(SPIClass &) {}

int16_t Module::SPIgetRegValue(uint32_t reg, uint8_t, uint8_t) {
    return reg == RADIOLIB_SX127X_REG_OP_MODE && listening ? RADIOLIB_SX127X_RXCONTINUOUS : 1;
}

Module::Module(ArduinoHal *, uint32_t cs, uint32_t irq, uint32_t rst, uint32_t gpio) {
    note("module %u %u %u %u", cs, irq, rst, gpio);
}

STM32WLx_Module::STM32WLx_Module() : Module(nullptr, 0, 0, 0, 0) {}

int16_t PhysicalLayer::transmit(const uint8_t *data, size_t len, uint8_t) {
    char hex[2 * MAX_BYTES + 1] = "";
    for (size_t i = 0; i < len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", data[i]);
    }
    note("sent %s", hex);
    listening = false;
    edge();
    return RADIOLIB_ERR_NONE;
}

int16_t PhysicalLayer::checkIrq(RadioLibIrqType_t) {
    return received ? 1 : 0;
}

int16_t PhysicalLayer::sleep() {
    note("radio sleeps");
    listening = false;
    return RADIOLIB_ERR_NONE;
}

int16_t PhysicalLayer::standby() {
    listening = false;
    return RADIOLIB_ERR_NONE;
}

int16_t PhysicalLayer::startReceive() {
    received = false;
    listening = !broken() && !out;
    return listening ? RADIOLIB_ERR_NONE : RADIOLIB_ERR_UNKNOWN;
}

int16_t PhysicalLayer::readData(uint8_t *data, size_t len) {
    memcpy(data, bytes, len < length ? len : length);
    received = false;
    return state;
}

size_t PhysicalLayer::getPacketLength(bool) {
    return implicit_bytes != 0 ? implicit_bytes : length;
}

float PhysicalLayer::getRSSI() {
    return rssi;
}

float PhysicalLayer::getSNR() {
    return snr;
}

void PhysicalLayer::setPacketReceivedAction(void (*func)()) {
    interrupt = func;
}

void PhysicalLayer::clearPacketReceivedAction() {
    interrupt = nullptr;
}

SX1262::SX1262(Module *) {}

int16_t SX1262::begin(float freq, float bw, uint8_t sf, uint8_t cr, uint8_t syncWord, int8_t power,
                      uint16_t preambleLength, float tcxoVoltage, bool) {
    note("begin %.3f %.1f sf%u cr%u sync %02x %d dBm preamble %u tcxo %.1f", static_cast<double>(freq),
         static_cast<double>(bw), sf, cr, syncWord, power, preambleLength, static_cast<double>(tcxoVoltage));
    return start();
}

int16_t SX1262::setCurrentLimit(float currentLimit) {
    note("limit %.0f mA", static_cast<double>(currentLimit));
    return RADIOLIB_ERR_NONE;
}

int16_t SX1262::implicitHeader(size_t len) {
    note("implicit %zu", len);
    implicit_bytes = len;
    return RADIOLIB_ERR_NONE;
}

uint8_t SX1262::getStatus() {
    return listening ? RADIOLIB_SX126X_STATUS_MODE_RX | 2 : RADIOLIB_SX126X_STATUS_MODE_STDBY_RC | 2;
}

void SX1262::setRfSwitchTable(const uint32_t (&pins)[Module::RFSWITCH_MAX_PINS], const Module::RfSwitchMode_t[]) {
    note("switch %u %u %u %u", pins[0], pins[1], pins[2], pins[3]);
}

SX1276::SX1276(Module *) {
    reports_implicit_as_damaged = true;
}

int16_t SX1276::begin(float freq, float bw, uint8_t sf, uint8_t cr, uint8_t syncWord, int8_t power,
                      uint16_t preambleLength, uint8_t) {
    note("begin %.3f %.1f sf%u cr%u sync %02x %d dBm preamble %u", static_cast<double>(freq), static_cast<double>(bw),
         sf, cr, syncWord, power, preambleLength);
    return start();
}

int16_t SX1276::setCurrentLimit(uint8_t currentLimit) {
    note("limit %u mA", currentLimit);
    return RADIOLIB_ERR_NONE;
}

int16_t SX1276::implicitHeader(size_t len) {
    note("implicit %zu", len);
    implicit_bytes = len;
    return RADIOLIB_ERR_NONE;
}

STM32WLx::STM32WLx(Module *mod) : SX1262(mod) {}
