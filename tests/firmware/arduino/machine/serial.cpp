/* Mock of the serial port, common to both cores. */
#include <Arduino.h>

#include "machine.h"

int HardwareSerial::available() {
    return line_available();
}

int HardwareSerial::read() {
    return line_read();
}

size_t HardwareSerial::write(const uint8_t *buffer, size_t size) {
    return line_write(buffer, size);
}

void HardwareSerial::flush() {}
