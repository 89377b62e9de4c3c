/* Functions that the files of this port share. */
#ifndef INKLING_STM32F405_PORT_H
#define INKLING_STM32F405_PORT_H

#include <stdint.h>

void clock_start(void);
uint32_t clock_apb2_hz(void);

/* Find out why the program started, and start the watchdog. */
void reset_start(void);

void timer_start(void);
void timer_interrupt(void);

void usart_start(void);
void usart_interrupt(void);

#endif
