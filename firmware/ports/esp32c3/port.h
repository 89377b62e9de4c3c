/* Functions that the files of this port share. */
#ifndef INKLING_ESP32C3_PORT_H
#define INKLING_ESP32C3_PORT_H

void timer_start(void);

void uart_start(void);

#endif
