/* Serial line on USART1 (PA9 out, PA10 in), 8N1. Reception is by interrupt, into a ring buffer. */
#include "board.h"
#include "port.h"
#include "registers.h"

#ifndef INKLING_BAUD
#define INKLING_BAUD 115200u
#endif

#define RING_BYTES 2048u /* a power of two */

/* All that the interrupt shares is volatile, the bytes too: only among volatiles does the compiler keep the order,
 * a byte before the count that tells of it. */
static volatile uint8_t ring[RING_BYTES];
static volatile uint32_t ring_in;  /* counts what the interrupt has put in */
static volatile uint32_t ring_out; /* counts what the application has taken out */
static volatile bool lost;
static volatile bool held; /* the interrupt is off until there is room */

void usart_start(void) {
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    (void)RCC_APB2ENR; /* RM0090 7.2.2: the clock is there two cycles after the write */
    GPIOA_AFRH = (GPIOA_AFRH & ~0x00000FF0u) | 0x00000770u;   /* function 7 on pins 9 and 10 */
    GPIOA_PUPDR = (GPIOA_PUPDR & ~0x003C0000u) | 0x00140000u; /* pulled up: an open line is silent */
    GPIOA_MODER = (GPIOA_MODER & ~0x003C0000u) | 0x00280000u; /* alternate function */
    USART1_BRR = (clock_apb2_hz() + INKLING_BAUD / 2u) / INKLING_BAUD;
    USART1_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    NVIC_ISER(USART1_IRQ / 32u) = 1u << (USART1_IRQ % 32u);
}

/* With the ring full, the next byte stays in the data register and the interrupt off, until board_read has made room.
 * A line with a rate of its own loses what comes after that byte, and the USART says so (ORE); one without, as in an
 * emulator, waits: there the interrupts of one long command can keep the processor from everything else. */
void usart_interrupt(void) {
    const uint32_t in = ring_in;
    if (in - ring_out == RING_BYTES) {
        held = true;
        NVIC_ICER(USART1_IRQ / 32u) = 1u << (USART1_IRQ % 32u);
        return;
    }
    const uint32_t status = USART1_SR;
    const uint8_t byte = (uint8_t)USART1_DR; /* after SR, this clears RXNE and ORE */
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
        held = false; /* before the interrupt that may set it again */
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

void board_write(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        while ((USART1_SR & USART_SR_TXE) == 0u) {
        }
        USART1_DR = bytes[i];
    }
}

/* With interrupts masked, wfi still wakes on a pending one: no byte slips in between the look and the sleep.
 * SysTick wakes it too, every 2^24 cycles (100 ms). */
void board_wait(void) {
    __asm__ volatile("cpsid i" ::: "memory");
    if (ring_in == ring_out && !lost) {
        __asm__ volatile("dsb\n wfi" ::: "memory");
    }
    __asm__ volatile("cpsie i\n isb" ::: "memory");
}
