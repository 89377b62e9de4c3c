/* RadioLib's radios over files: see machine.h. They keep to the chips' ways that matter to a program: one interrupt for a
 * packet that came and one that has gone, a payload that stays when its CRC is wrong, reception that ends when something
 * is sent, and with an SX127x the verdict "header damaged" on every packet without a header. */
#include <RadioLib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "machine.h"

SPIClass SPI;

namespace {

struct packet {
    int16_t state;
    float rssi;
    float snr;
    std::vector<uint8_t> bytes;
};

packet last;
void (*interrupt)();
bool listening;
bool headers_missing_are_damaged;
size_t implicit;

std::string hex(const uint8_t *bytes, size_t count) {
    static const char digits[] = "0123456789abcdef";
    std::string text;
    for (size_t i = 0; i < count; i++) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

packet parse(const std::string &line) {
    packet parsed;
    std::istringstream words(line);
    std::string crc;
    std::string bytes;
    words >> crc >> parsed.rssi >> parsed.snr >> bytes;
    for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
        parsed.bytes.push_back(static_cast<uint8_t>(std::stoi(bytes.substr(i, 2), nullptr, 16)));
    }
    const bool damaged = crc == "none" || (headers_missing_are_damaged && implicit != 0 && crc == "ok");
    parsed.state = crc == "bad" ? RADIOLIB_ERR_CRC_MISMATCH : damaged ? RADIOLIB_ERR_LORA_HEADER_DAMAGED : RADIOLIB_ERR_NONE;
    return parsed;
}

} // namespace

void radio_poll() {
    static std::ifstream air(getenv("INKLING_AIR") != nullptr ? getenv("INKLING_AIR") : "/dev/null");
    std::string line;
    if (listening && std::getline(air, line)) {
        last = parse(line);
        listening = false;
        interrupt();
    }
    air.clear(); /* the file may grow */
}

void SPIClass::begin(int8_t sck, int8_t miso, int8_t mosi, int8_t ss) {
    note("spi %d %d %d %d", sck, miso, mosi, ss);
}

ArduinoHal::ArduinoHal(SPIClass &) {}

Module::Module(ArduinoHal *, uint32_t cs, uint32_t irq, uint32_t rst, uint32_t gpio) {
    note("module %u %u %u %u", cs, irq, rst, gpio);
}

STM32WLx_Module::STM32WLx_Module() : Module(nullptr, 0, 0, 0, 0) {}

int16_t PhysicalLayer::transmit(const uint8_t *data, size_t len, uint8_t) {
    note("sent %s", hex(data, len).c_str());
    listening = false;
    if (interrupt != nullptr) {
        interrupt();
    }
    return RADIOLIB_ERR_NONE;
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
    listening = true;
    return RADIOLIB_ERR_NONE;
}

int16_t PhysicalLayer::readData(uint8_t *data, size_t len) {
    memcpy(data, last.bytes.data(), len < last.bytes.size() ? len : last.bytes.size());
    return last.state;
}

size_t PhysicalLayer::getPacketLength(bool) {
    return implicit != 0 ? implicit : last.bytes.size();
}

float PhysicalLayer::getRSSI() {
    return last.rssi;
}

float PhysicalLayer::getSNR() {
    return last.snr;
}

void PhysicalLayer::setPacketReceivedAction(void (*func)()) {
    interrupt = func;
}

SX1262::SX1262(Module *) {}

int16_t SX1262::begin(float freq, float bw, uint8_t sf, uint8_t cr, uint8_t syncWord, int8_t power,
                      uint16_t preambleLength, float tcxoVoltage, bool) {
    note("begin %.3f %.1f sf%u cr%u sync %02x %d dBm preamble %u tcxo %.1f", static_cast<double>(freq),
         static_cast<double>(bw), sf, cr, syncWord, power, preambleLength, static_cast<double>(tcxoVoltage));
    return broken() ? RADIOLIB_ERR_CHIP_NOT_FOUND : RADIOLIB_ERR_NONE;
}

int16_t SX1262::setCurrentLimit(float currentLimit) {
    note("limit %.0f mA", static_cast<double>(currentLimit));
    return RADIOLIB_ERR_NONE;
}

int16_t SX1262::implicitHeader(size_t len) {
    note("implicit %zu", len);
    implicit = len;
    return RADIOLIB_ERR_NONE;
}

void SX1262::setRfSwitchTable(const uint32_t (&pins)[Module::RFSWITCH_MAX_PINS], const Module::RfSwitchMode_t[]) {
    note("switch %u %u %u %u", pins[0], pins[1], pins[2], pins[3]);
}

SX1276::SX1276(Module *) {
    headers_missing_are_damaged = true;
}

int16_t SX1276::begin(float freq, float bw, uint8_t sf, uint8_t cr, uint8_t syncWord, int8_t power,
                      uint16_t preambleLength, uint8_t) {
    note("begin %.3f %.1f sf%u cr%u sync %02x %d dBm preamble %u", static_cast<double>(freq), static_cast<double>(bw), sf,
         cr, syncWord, power, preambleLength);
    return broken() ? RADIOLIB_ERR_CHIP_NOT_FOUND : RADIOLIB_ERR_NONE;
}

int16_t SX1276::setCurrentLimit(uint8_t currentLimit) {
    note("limit %u mA", currentLimit);
    return RADIOLIB_ERR_NONE;
}

int16_t SX1276::implicitHeader(size_t len) {
    note("implicit %zu", len);
    implicit = len;
    return RADIOLIB_ERR_NONE;
}

STM32WLx::STM32WLx(Module *mod) : SX1262(mod) {}
