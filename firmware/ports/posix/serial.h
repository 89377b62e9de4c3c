/* Serial line of the process: a pseudo-terminal, a TCP port, or standard input and output. */
#ifndef INKLING_POSIX_SERIAL_H
#define INKLING_POSIX_SERIAL_H

#include <stdbool.h>

/* Open "pty", "tcp:PORT" (0: any free port) or "stdio", and print the port's name on standard output. Returns false,
 * with one line on standard error, if that fails. */
bool serial_open(const char *port);

/* Stop reading, even if more bytes keep arriving. Safe in a signal handler. */
void serial_stop(void);

/* Return true when there will be no more bytes: standard input has ended, or serial_stop() was called. */
bool serial_ended(void);

#endif
