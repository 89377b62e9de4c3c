/* Serial line of STM32 boards: the UART that the ST-LINK connects to USB, or the chip's own USB. The core buffers bytes
 * by interrupt. */
#include "../common/core.h"
#include "../common/port.h"
#include "board.h"
#include "stack.h"

void serial_start() {
    Serial.begin(INKLING_BAUD);
}

int board_read() {
    return Serial.read();
}

/* The core drops bytes silently while its buffer is full, so a full buffer counts as a loss. USB has flow control. */
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

/* Waits for the next interrupt: the core's millisecond tick at the latest. */
void board_wait() {
    stack_check();
    if (Serial.available() == 0) {
        __WFI();
    }
}
