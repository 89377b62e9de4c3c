/* The serial line of the process: a pseudo-terminal, a TCP port, or standard input and output. */
#ifndef INKLING_POSIX_SERIAL_H
#define INKLING_POSIX_SERIAL_H

#include <stdbool.h>

/* where: "pty", "tcp:PORT" (0 picks a free one) or "stdio". Says on standard output where the port is.
 * False, with one line on standard error, when it cannot be had. */
bool serial_open(const char *where);

/* Takes no more bytes, even if they come without end. Safe in a signal handler. */
void serial_stop(void);

/* True when no more bytes can ever come (standard input ended, or serial_stop). */
bool serial_ended(void);

#endif
