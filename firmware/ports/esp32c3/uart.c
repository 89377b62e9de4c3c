/* Serial line on UART0, 8N1, through the 128 bytes of its FIFOs. The application looks for bytes all the time while it
 * is idle, which at 115200 baud leaves 11 ms to spare. What comes during an encoding, beyond 128 bytes, is lost, and
 * the UART says so. */
#include "board.h"
#include "port.h"
#include "registers.h"

#ifndef INKLING_BAUD
#define INKLING_BAUD 115200u
#endif

#define CRYSTAL_HZ 40000000u
#define SIXTEENTHS (CRYSTAL_HZ * 16ull / INKLING_BAUD) /* of the clock's divider */

_Static_assert(SIXTEENTHS / 16u <= 0xFFFu, "INKLING_BAUD is too low: the divider has 12 bits, 9768 baud and up");

void uart_start(void) {
    UART_CLK_CONF = UART_CLK_CONF_CRYSTAL_UNDIVIDED;
    UART_CLKDIV = (uint32_t)(SIXTEENTHS / 16u | (SIXTEENTHS % 16u) << UART_CLKDIV_FRAG_BIT);
    UART_CONF0 = UART_CONF0_8N1 | UART_CONF0_FIFO_RESETS;
    UART_CONF0 = UART_CONF0_8N1;
    UART_INT_CLR = UART_INT_RXFIFO_OVF;
}

int board_read(void) {
    return UART_STATUS_RXFIFO_COUNT(UART_STATUS) != 0u ? (int)(UART_FIFO & 0xFFu) : -1;
}

bool board_overrun(void) {
    const bool lost = (UART_INT_RAW & UART_INT_RXFIFO_OVF) != 0u;
    if (lost) {
        UART_INT_CLR = UART_INT_RXFIFO_OVF;
    }
    return lost;
}

void board_write(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        while (UART_STATUS_TXFIFO_COUNT(UART_STATUS) >= UART_FIFO_BYTES) {
        }
        UART_FIFO = bytes[i];
    }
}

/* No sleep: without an interrupt nothing would end it in time for the FIFO. */
void board_wait(void) {}
