/* Test application for the STM32F405 port: tests its receive buffer when full, with variables in place of the USART's
 * registers. Answers 'R' with a line: '0', or the number of the first check that failed. */
#include "app.h"
#include "board.h"

#define INKLING_STM32F405_REGISTERS_H /* these variables replace the registers */
#define RCC_AHB1ENR_GPIOA 0u
#define RCC_APB2ENR_USART1 0u
#define USART_SR_ORE (1u << 3)
#define USART_SR_RXNE (1u << 5)
#define USART_SR_TXE (1u << 7)
#define USART_CR1_RE 0u
#define USART_CR1_TE 0u
#define USART_CR1_RXNEIE 0u
#define USART_CR1_UE 0u
#define USART1_IRQ 37u
#define NVIC_ISER(n) interrupts_on
#define NVIC_ICER(n) interrupts_off
static volatile uint32_t USART1_SR, USART1_DR, USART1_BRR, USART1_CR1, interrupts_on, interrupts_off;
static volatile uint32_t RCC_AHB1ENR, RCC_APB2ENR, GPIOA_AFRH, GPIOA_PUPDR, GPIOA_MODER;

#define usart_start tested_start
#define usart_interrupt tested_interrupt
#define board_read tested_read
#define board_overrun tested_overrun
#define board_write tested_write
#define board_wait tested_wait
#include "usart.c"
#undef board_read
#undef board_write
#undef board_wait

int tested_read(void);
void tested_write(const uint8_t *bytes, size_t count);
void tested_wait(void);

static void receive(uint8_t byte, uint32_t status) {
    USART1_DR = byte;
    USART1_SR = USART_SR_RXNE | status;
    tested_interrupt();
}

static uint8_t first_failure(void) {
    for (uint32_t i = 0; i < RING_BYTES; i++) {
        receive((uint8_t)i, 0u);
    }
    if (interrupts_off != 0u || tested_overrun()) {
        return 1;
    }
    receive(0xAAu, 0u); /* no room: stays in the data register, not lost yet */
    if (interrupts_off != 1u << (USART1_IRQ % 32u) || tested_overrun()) {
        return 2;
    }
    interrupts_on = 0u;
    if (tested_read() != 0 || interrupts_on != 1u << (USART1_IRQ % 32u)) {
        return 3;
    }
    interrupts_off = 0u;
    receive(0xAAu, USART_SR_ORE); /* taken now, but a later byte was lost */
    if (interrupts_off != 0u || !tested_overrun() || tested_overrun()) {
        return 4;
    }
    interrupts_on = 0u;
    for (uint32_t i = 1; i < RING_BYTES; i++) {
        if (tested_read() != (uint8_t)i) {
            return 5;
        }
    }
    if (tested_read() != 0xAA || tested_read() != -1 || interrupts_on != 0u) {
        return 6;
    }
    return 0;
}

void app_start(void) {}

void app_step(void) {
    const int byte = board_read();
    if (byte == 'R') {
        const uint8_t line[] = {(uint8_t)('0' + first_failure()), '\n'};
        board_write(line, sizeof line);
    } else if (byte == 0x1A) { /* start of a command: the emulator checks that the board responds */
        board_write((const uint8_t *)"1\n", 2);
    }
    board_wait();
}
