/* Serial line of the ESP32 family: UART0, which the boards' USB bridge is wired to. The core's driver collects bytes by
 * interrupt into its buffer, and tells from a task of its own when the UART's 128 bytes ran over. */
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"

namespace {

constexpr size_t RX_BUFFER_BYTES = 4096;

volatile bool lost;

/* A full buffer alone loses nothing yet: the UART's own FIFO goes on collecting. */
void on_error(hardwareSerial_error_t error) {
    if (error == UART_FIFO_OVF_ERROR) {
        lost = true;
    }
}

} // namespace

void serial_start() {
    Serial.setRxBufferSize(RX_BUFFER_BYTES); /* counts only before begin() */
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

/* A tick of the scheduler, so that the idle task gets its turn; the driver's buffer holds what comes meanwhile. */
void board_wait() {
    if (Serial.available() == 0) {
        delay(1);
    }
}
