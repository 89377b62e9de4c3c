/* Functions that the files of this port share. */
#ifndef INKLING_QEMU_VIRT_PORT_H
#define INKLING_QEMU_VIRT_PORT_H

#include <stdint.h>

void timer_start(void);

/* Make the next wfi end after this time at the latest. */
void timer_wake_in(uint32_t micros);

void uart_start(void);

#endif
