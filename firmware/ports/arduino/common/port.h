/* What the files of this port know of each other. */
#ifndef INKLING_ARDUINO_PORT_H
#define INKLING_ARDUINO_PORT_H

#ifndef INKLING_BAUD
#define INKLING_BAUD 115200
#endif

/* Makes the chip ready: cycle counter, watchdog. */
void chip_start();

/* Opens the serial line to the host, 8N1 at INKLING_BAUD. */
void serial_start();

#endif
