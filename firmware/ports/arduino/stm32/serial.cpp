/* Serial line of STM32 boards: the UART that the board's ST-LINK passes on to USB, or the chip's own USB. The core
 * collects bytes by interrupt. */
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"

void serial_start() {
    Serial.begin(INKLING_BAUD);
}

int board_read() {
    return Serial.read();
}

/* The core drops what comes while its buffer is full and tells nobody, so that a full buffer has to count as a loss.
 * USB holds the host back instead. */
bool board_overrun() {
#ifdef USBCON
    return false;
#else
    return Serial.available() >= SERIAL_RX_BUFFER_SIZE - 1;
#endif
}

void board_write(const uint8_t *bytes, size_t count) {
    Serial.write(bytes, count);
}

/* Until the next interrupt, the core's millisecond tick at the latest. */
void board_wait() {
    if (Serial.available() == 0) {
        __WFI();
    }
}
