#define _XOPEN_SOURCE 700
#include "restart.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "wire/status.h"

#ifndef INKLING_WATCHDOG_S
#define INKLING_WATCHDOG_S 60
#endif

_Static_assert(INKLING_WATCHDOG_S >= 2, "INKLING_WATCHDOG_S must be at least 2");

#define MAX_FILES 256
#define VARIABLE "INKLING_RESTART"
#define DIGITS 8u

/* In the environment of the next life: the cause, and the kept word in hex. The digits are kept up to date, because
 * the signal's handler cannot do much. */
static char next_life[] = VARIABLE "=4 00000000";
static char **arguments;
static uint8_t cause = WIRE_RESET_POWER_ON;
static uint32_t kept;
static volatile sig_atomic_t expirations;

/* The alarm comes twice: a process that was stopped for long gets half of the time to make progress again. */
static void on_alarm(int signal_number) {
    static const char message[] = "inkling: watchdog: the application made no progress; restarting\n";
    (void)signal_number;
    if (expirations++ == 0) {
        alarm(INKLING_WATCHDOG_S / 2);
        return;
    }
    if (write(STDERR_FILENO, message, sizeof message - 1u) < 0) {
        /* nobody reads it */
    }
    for (int file = STDERR_FILENO + 1; file < MAX_FILES; file++) {
        close(file); /* the ports of this life */
    }
    execv("/proc/self/exe", arguments);
    execv(arguments[0], arguments);
    _exit(EXIT_FAILURE);
}

static void read_last_life(void) {
    const char *text = getenv(VARIABLE);
    unsigned number;
    unsigned word;
    char end;
    if (text != NULL && sscanf(text, "%1u %8x%c", &number, &word, &end) == 2) {
        cause = (uint8_t)number;
        kept = word;
    }
}

void restart_watch(char **argv) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    action.sa_flags = SA_NODEFER; /* or the alarm would be blocked in the next life */
    read_last_life();
    arguments = argv;
    putenv(next_life);
    board_keep(kept);
    sigaction(SIGALRM, &action, NULL);
    board_progress();
}

uint8_t board_reset_cause(void) {
    return cause;
}

uint32_t board_kept(void) {
    return kept;
}

void board_keep(uint32_t word) {
    char digits[DIGITS + 1u];
    snprintf(digits, sizeof digits, "%08x", (unsigned)word);
    kept = word;
    memcpy(next_life + sizeof next_life - sizeof digits, digits, DIGITS);
}

void board_progress(void) {
    expirations = 0;
    alarm(INKLING_WATCHDOG_S / 2);
}
