/* Mock of the STM32duino core. */
#include <Arduino.h>
#include <dwt.h>

#include "machine.h"

HardwareSerial Serial2;
USBSerial SerialUSB;
uint32_t SystemCoreClock = 180000000;

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

void wait_for_interrupt() {
    line_wait(1);
}
