/* Mock of the STM32duino core. */
#include <Arduino.h>
#include <dwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <stm32yyxx_ll_adc.h>

#include "machine.h"

HardwareSerial Serial2;
USBSerial SerialUSB;
uint32_t SystemCoreClock = 180000000;

namespace {

constexpr size_t HEAP_BYTES = 1001; /* ends within a word */
constexpr size_t STACK_BYTES = 8191;

int adc_bits = 10;

alignas(8) uint8_t ram[HEAP_BYTES + STACK_BYTES];

} // namespace

extern "C" void *sbrk(intptr_t) noexcept {
    return ram + HEAP_BYTES;
}

uintptr_t stack_pointer() {
    return reinterpret_cast<uintptr_t>(ram + sizeof ram);
}

extern "C" void __stack_chk_fail() __attribute__((noreturn)); /* called by compiled code */

void HardwareSerial::begin(unsigned long baud) {
    note("serial %lu", baud);
    line_open(SERIAL_RX_BUFFER_SIZE - 1, nullptr); /* a ring that keeps one byte free and drops silently */
}

void USBSerial::begin(uint32_t) {
    note("usb");
    line_open(64, nullptr);
}

int USBSerial::available() {
    return line_available();
}

int USBSerial::read() {
    return line_read();
}

size_t USBSerial::write(const uint8_t *buffer, size_t size) {
    return line_write(buffer, size);
}

void USBSerial::flush() {}

uint32_t dwt_init() {
    note("cycle counter on");
    if (getenv("INKLING_STACK") != nullptr) {
        ram[sizeof ram - atoi(getenv("INKLING_STACK"))] = 0xAA;
    }
    return 0;
}

uint32_t dwt_getCycles() {
    return static_cast<uint32_t>(nanoseconds() * 180u / 1000u);
}

uint32_t millis() {
    return static_cast<uint32_t>(nanoseconds() / 1000000u);
}

uint32_t micros() {
    return static_cast<uint32_t>(nanoseconds() / 1000u);
}

void NVIC_SystemReset() {
    note("reset");
    exit(0);
}

void wait_for_interrupt() {
    if (getenv("INKLING_SMASHED") != nullptr) {
        __stack_chk_fail();
    }
    line_wait(1);
}

void analogReadResolution(int res) {
    adc_bits = res;
}

/* INKLING_SUPPLY_MV: of the chip, by default 3300. INKLING_PIN_MV: pin=millivolts. */
uint32_t analogRead(uint32_t ulPin) {
    const char *supply = getenv("INKLING_SUPPLY_MV"), *text = getenv("INKLING_PIN_MV");
    const uint32_t supply_mv = supply != nullptr ? static_cast<uint32_t>(atoi(supply)) : 3300u;
    unsigned number = 0, millivolts = 0;
    uint32_t reading = 0;
    if (ulPin == AVREF) {
        reading = supply_mv != 0u ? MOCK_VREFINT_CAL * MOCK_VREFINT_CAL_MV / supply_mv : 0u;
    } else if (text != nullptr && sscanf(text, "%u=%u", &number, &millivolts) == 2 && number == ulPin) {
        reading = LL_ADC_RESOLUTION_12B * millivolts / supply_mv;
    }
    return (reading < LL_ADC_RESOLUTION_12B ? reading : LL_ADC_RESOLUTION_12B) >> (12 - adc_bits);
}
