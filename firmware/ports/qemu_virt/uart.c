/* Serial line on a 16550, 8N1. Needs no ring buffer: QEMU waits while the FIFO is full. */
#include "../bare/wait.h"
#include "../rv32/machine.h"

#include "board.h"
#include "port.h"
#include "registers.h"

#define SLEEP_MICROS 100000u

static bool lost;
static bool stalled; /* the UART has stopped sending: do not wait for it until it sends again */

void uart_start(void) {
    UART_LCR = UART_LCR_8N1;
    UART_FCR = UART_FCR_ENABLE_AND_CLEAR;
    UART_IER = UART_IER_RECEIVED;
    PLIC_PRIORITY(UART_IRQ) = 1u;
    PLIC_ENABLE = 1u << UART_IRQ;
    PLIC_THRESHOLD = 0u;
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_EXTERNAL));
}

void machine_start(void) {
    timer_start();
    uart_start();
}

/* Reading the status clears its overrun bit, so the loss is stored. */
static uint8_t status(void) {
    const uint8_t now = UART_LSR;
    lost = lost || (now & UART_LSR_OVERRUN) != 0u;
    return now;
}

int board_read(void) {
    return (status() & UART_LSR_READY) != 0u ? UART_DATA : -1;
}

bool board_overrun(void) {
    const bool was = lost;
    lost = false;
    return was;
}

static bool can_send(void) {
    return (status() & UART_LSR_SENDER_EMPTY) != 0u;
}

void board_write(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        stalled = !wait_until(can_send, stalled);
        if (stalled) {
            return;
        }
        UART_DATA = bytes[i];
    }
}

/* With interrupts masked, a pending one still ends wfi, so no byte is missed between the check and the sleep. The
 * UART's interrupt stays pending until the byte is read. */
void board_wait(void) {
    timer_wake_in(SLEEP_MICROS);
    __asm__ volatile("wfi" ::: "memory");
}
