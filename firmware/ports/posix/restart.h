/* Watchdog of the process, and restarts by it. */
#ifndef INKLING_POSIX_RESTART_H
#define INKLING_POSIX_RESTART_H

/* Start the watchdog. If the application makes no progress for INKLING_WATCHDOG_S seconds, the process prints one line
 * on standard error and executes itself again with the same arguments; standard input and output stay open. argv: the
 * arguments of main(). */
void restart_watch(char **argv);

#endif
