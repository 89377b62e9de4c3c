/* Serial line of the ESP32 family: UART0, which is wired to the board's USB bridge. The core's driver buffers bytes by
 * interrupt and reports from its own task when the UART's FIFO of 128 bytes overflowed. */
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"

namespace {

constexpr size_t RX_BUFFER_BYTES = 4096;

volatile bool lost;

/* A full buffer alone loses nothing yet: the UART's FIFO still takes bytes. */
void on_error(hardwareSerial_error_t error) {
    if (error == UART_FIFO_OVF_ERROR) {
        lost = true;
    }
}

} // namespace

void serial_start() {
    Serial.setRxBufferSize(RX_BUFFER_BYTES); /* only works before begin() */
    Serial.begin(INKLING_BAUD);
    Serial.onReceiveError(on_error);
}

int board_read() {
    return Serial.read();
}

bool board_overrun() {
    const bool was = lost;
    if (was) {
        lost = false;
    }
    return was;
}

void board_write(const uint8_t *bytes, size_t count) {
    Serial.write(bytes, count);
}

/* Waits one scheduler tick, so that the idle task runs; the driver buffers bytes meanwhile. */
void board_wait() {
    if (Serial.available() == 0) {
        delay(1);
    }
}
