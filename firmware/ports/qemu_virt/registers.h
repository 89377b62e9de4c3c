/* Registers used by this port. Sources: addresses from QEMU's hw/riscv/virt.c; National Semiconductor PC16550D (UART),
 * RISC-V Platform-Level Interrupt Controller 1.0.0, RISC-V Advanced Core Local Interruptor 1.0-rc4. */
#ifndef INKLING_QEMU_VIRT_REGISTERS_H
#define INKLING_QEMU_VIRT_REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define REGISTER8(address) (*(volatile uint8_t *)(address))

/* UART: consecutive bytes (PC16550D, section 8) */
#define UART_DATA REGISTER8(0x10000000u)
#define UART_IER REGISTER8(0x10000001u)
#define UART_IER_RECEIVED (1u << 0)
#define UART_FCR REGISTER8(0x10000002u)
#define UART_FCR_ENABLE_AND_CLEAR 7u
#define UART_LCR REGISTER8(0x10000003u)
#define UART_LCR_8N1 3u
#define UART_LSR REGISTER8(0x10000005u)
#define UART_LSR_READY (1u << 0)
#define UART_LSR_OVERRUN (1u << 1)
#define UART_LSR_SENDER_EMPTY (1u << 5)
#define UART_IRQ 10u

/* PLIC: context 0 is hart 0 in machine mode */
#define PLIC_PRIORITY(source) REGISTER(0x0C000000u + 4u * (source))
#define PLIC_ENABLE REGISTER(0x0C002000u)
#define PLIC_THRESHOLD REGISTER(0x0C200000u)

/* Machine timer */
#define MTIME_HZ 10000000u
#define MTIMECMP_LOW REGISTER(0x02004000u)
#define MTIMECMP_HIGH REGISTER(0x02004004u)
#define MTIME_LOW REGISTER(0x0200BFF8u)
#define MTIME_HIGH REGISTER(0x0200BFFCu)

/* mie: the interrupts that end a wfi (Privileged ISA, 3.1.9) */
#define MIE_TIMER (1u << 7)
#define MIE_EXTERNAL (1u << 11)

#endif
