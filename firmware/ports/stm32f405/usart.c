/* Serial line on USART1 (PA9 out, PA10 in), 8N1. Reception is by interrupt, into a ring buffer. */
#include "../bare/wait.h"

#include "board.h"
#include "port.h"
#include "registers.h"

#ifndef INKLING_BAUD
#define INKLING_BAUD 115200u
#endif

#define RING_BYTES 2048u /* a power of two */

/* Everything shared with the interrupt is volatile, the bytes as well: the compiler keeps the order only among volatile
 * accesses, and a byte must be stored before the counter is. */
static volatile uint8_t ring[RING_BYTES];
static volatile uint32_t ring_in;  /* bytes stored by the interrupt */
static volatile uint32_t ring_out; /* bytes taken by the application */
static volatile bool lost;
static bool stalled;       /* the USART has stopped sending: do not wait for it until it sends again */
static volatile bool held; /* the interrupt is off until the ring has room */

void usart_start(void) {
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    (void)RCC_APB2ENR; /* the clock starts two cycles after the write: RM0090, 7.2.2 */
    GPIOA_AFRH = (GPIOA_AFRH & ~0x00000FF0u) | 0x00000770u;   /* function 7 on pins 9 and 10 */
    GPIOA_PUPDR = (GPIOA_PUPDR & ~0x003C0000u) | 0x00140000u; /* pull-up: an unconnected line is idle */
    GPIOA_MODER = (GPIOA_MODER & ~0x003C0000u) | 0x00280000u; /* alternate function */
    USART1_BRR = (clock_apb2_hz() + INKLING_BAUD / 2u) / INKLING_BAUD;
    USART1_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    NVIC_ISER(USART1_IRQ / 32u) = 1u << (USART1_IRQ % 32u);
}

/* While the ring is full, the next byte stays in the data register and the interrupt stays off, until board_read()
 * makes room. On a real line later bytes are lost, and the USART reports an overrun (ORE). An emulator's line waits
 * instead; there, the interrupts of a long command could otherwise starve the application. */
void usart_interrupt(void) {
    const uint32_t in = ring_in;
    if (in - ring_out == RING_BYTES) {
        held = true;
        NVIC_ICER(USART1_IRQ / 32u) = 1u << (USART1_IRQ % 32u);
        return;
    }
    const uint32_t status = USART1_SR;
    const uint8_t byte = (uint8_t)USART1_DR; /* reading SR, then DR clears RXNE and ORE */
    if ((status & USART_SR_ORE) != 0u) {
        lost = true;
    }
    if ((status & USART_SR_RXNE) != 0u) {
        ring[in % RING_BYTES] = byte;
        ring_in = in + 1u;
    }
}

int board_read(void) {
    const uint32_t out = ring_out;
    if (out == ring_in) {
        return -1;
    }
    const uint8_t byte = ring[out % RING_BYTES];
    ring_out = out + 1u;
    if (held) {
        held = false; /* before enabling the interrupt, which may set it again */
        NVIC_ISER(USART1_IRQ / 32u) = 1u << (USART1_IRQ % 32u);
    }
    return byte;
}

bool board_overrun(void) {
    const bool was = lost;
    if (was) {
        lost = false;
    }
    return was;
}

static bool can_send(void) {
    return (USART1_SR & USART_SR_TXE) != 0u;
}

void board_write(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        stalled = !wait_until(can_send, stalled);
        if (stalled) {
            return;
        }
        USART1_DR = bytes[i];
    }
}

/* With interrupts masked, a pending one still ends wfi, so no byte is missed between the check and the sleep. SysTick
 * ends it every 2^24 cycles (100 ms) as well. */
void board_wait(void) {
    __asm__ volatile("cpsid i" ::: "memory");
    if (ring_in == ring_out && !lost) {
        __asm__ volatile("dsb\n wfi" ::: "memory");
    }
    __asm__ volatile("cpsie i\n isb" ::: "memory");
}
