/* Serial line on UART0, 8N1, polled, with FIFOs of 128 bytes (11 ms at 115200 baud). The idle application polls all the
 * time. During an encoding, bytes beyond 128 are lost, and the UART reports an overflow. */
#include "../bare/wait.h"
#include "../rv32/machine.h"

#include "board.h"
#include "port.h"
#include "registers.h"

#ifndef INKLING_BAUD
#define INKLING_BAUD 115200u
#endif

#define CRYSTAL_HZ 40000000u
#define SIXTEENTHS (CRYSTAL_HZ * 16ull / INKLING_BAUD) /* of the clock divider */

_Static_assert(SIXTEENTHS / 16u <= 0xFFFu, "INKLING_BAUD must be at least 9768: the divider has 12 bits");

static bool stalled; /* the UART has stopped sending: do not wait for it until it sends again */

void uart_start(void) {
    UART_CLK_CONF = UART_CLK_CONF_CRYSTAL_UNDIVIDED;
    UART_CLKDIV = (uint32_t)(SIXTEENTHS / 16u | (SIXTEENTHS % 16u) << UART_CLKDIV_FRAG_BIT);
    UART_CONF0 = UART_CONF0_8N1 | UART_CONF0_FIFO_RESETS;
    UART_CONF0 = UART_CONF0_8N1;
    UART_INT_CLR = UART_INT_RXFIFO_OVF;
}

void machine_start(void) {
    timer_start();
    uart_start();
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

static bool can_send(void) {
    return UART_STATUS_TXFIFO_COUNT(UART_STATUS) < UART_FIFO_BYTES;
}

void board_write(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        stalled = !wait_until(can_send, stalled);
        if (stalled) {
            return;
        }
        UART_FIFO = bytes[i];
    }
}

/* Does not sleep: without interrupts nothing would wake the CPU before the FIFO is full. */
void board_wait(void) {}
