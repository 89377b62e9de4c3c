/* Registers used by this port. Source: ESP32-C3 Technical Reference Manual (TRM). */
#ifndef INKLING_ESP32C3_REGISTERS_H
#define INKLING_ESP32C3_REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* UART0: chapter "UART Controller" */
#define UART_FIFO REGISTER(0x60000000u)
#define UART_FIFO_BYTES 128u
#define UART_INT_RAW REGISTER(0x60000004u)
#define UART_INT_CLR REGISTER(0x60000010u)
#define UART_INT_RXFIFO_OVF (1u << 4)
#define UART_CLKDIV REGISTER(0x60000014u)
#define UART_CLKDIV_FRAG_BIT 20u
#define UART_STATUS REGISTER(0x6000001Cu)
#define UART_STATUS_RXFIFO_COUNT(status) ((status) & 0x3FFu)
#define UART_STATUS_TXFIFO_COUNT(status) ((status) >> 16 & 0x3FFu)
#define UART_CONF0 REGISTER(0x60000020u)
#define UART_CONF0_8N1 (3u << 2 | 1u << 4)
#define UART_CONF0_FIFO_RESETS (3u << 17)
#define UART_CLK_CONF REGISTER(0x60000078u)
#define UART_CLK_CONF_CRYSTAL_UNDIVIDED (3u << 20 | 1u << 22 | 3u << 24)

/* First unit of the system timer, 52 bits: chapter "System Timer" */
#define SYSTIMER_CONF REGISTER(0x60023000u)
#define SYSTIMER_CONF_CLK_EN_UNIT0_EN (1u << 31 | 1u << 30)
#define SYSTIMER_UNIT0_OP REGISTER(0x60023004u)
#define SYSTIMER_UNIT0_OP_UPDATE (1u << 30)
#define SYSTIMER_UNIT0_OP_VALID (1u << 29)
#define SYSTIMER_UNIT0_HIGH REGISTER(0x60023040u)
#define SYSTIMER_UNIT0_LOW REGISTER(0x60023044u)

#endif
