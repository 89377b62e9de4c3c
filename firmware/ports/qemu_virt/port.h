/* What the files of this port know of each other. */
#ifndef INKLING_QEMU_VIRT_PORT_H
#define INKLING_QEMU_VIRT_PORT_H

#include <stdint.h>

void timer_start(void);

/* Makes a wfi end after this time at the latest. */
void timer_wake_in(uint32_t micros);

void uart_start(void);

#endif
