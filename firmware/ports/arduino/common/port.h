/* Functions that the files of this port share. */
#ifndef INKLING_ARDUINO_PORT_H
#define INKLING_ARDUINO_PORT_H

#ifndef INKLING_BAUD
#define INKLING_BAUD 115200
#endif

/* Set up the chip: cycle counter, cause of the reset, watchdog. */
void chip_start();

/* Open the serial line to the host: INKLING_BAUD baud, 8N1. */
void serial_start();

#endif
