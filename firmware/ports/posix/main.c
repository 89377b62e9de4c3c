/* Entry of the process: arguments, signals, the application's loop, clocks. */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "board.h"
#include "serial.h"

#define NANOSECONDS 1000000000u
#define NAP_NANOSECONDS 50000000

static void stop(int signal_number) {
    (void)signal_number;
    serial_stop();
}

static void handle_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop; /* no SA_RESTART: a sleep ends at once */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN; /* a peer that left is no reason to die */
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int main(int argc, char **argv) {
    const char *where = "pty";
    if (argc == 3 && strcmp(argv[1], "--port") == 0) {
        where = argv[2];
    } else if (argc != 1) {
        fprintf(stderr, "usage: %s [--port pty|tcp:PORT|stdio]\n", argv[0]);
        return 2;
    }
    handle_signals();
    if (!serial_open(where)) {
        return 1;
    }
    app_start();
    while (!serial_ended()) {
        app_step();
    }
    return 0;
}

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

/* In naps, so that a signal that comes just before one is not slept through. */
void board_sleep(uint32_t seconds) {
    const struct timespec nap = {.tv_nsec = NAP_NANOSECONDS};
    const uint64_t end = nanoseconds() + (uint64_t)seconds * NANOSECONDS;
    while (!serial_ended() && nanoseconds() < end) {
        nanosleep(&nap, NULL);
    }
}

bool board_woke(void) {
    return false; /* its sleep returns */
}

uint32_t board_micros(void) {
    return (uint32_t)(nanoseconds() / 1000u);
}

uint32_t board_cycles(void) {
    return (uint32_t)nanoseconds();
}

uint32_t board_clock_hz(void) {
    return NANOSECONDS;
}

uint32_t board_stack_bytes(void) {
    return 0u;
}

const char *board_target(void) {
    return INKLING_TARGET;
}
