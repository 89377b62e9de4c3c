/* Entry of the process: arguments, signals, main loop, clocks. */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "board.h"
#include "line.h"
#include "numbers.h"
#include "radio_hub.h"
#include "recording.h"
#include "restart.h"
#include "serial.h"

#define NANOSECONDS 1000000000u
#define NAP_NANOSECONDS 50000000

static uint16_t battery_mv; /* that the process reports; 0 = unknown */

static void stop(int signal_number) {
    (void)signal_number;
    serial_stop();
}

static void handle_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop; /* no SA_RESTART: a signal ends a sleep */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN; /* a disconnected peer must not end the process */
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* Parse a number from 0 to `most`; return -1 for anything else. */
static long parse_number(const char *text, long most) {
    char *end;
    const long number = strtol(text, &end, 10);
    return end == text || *end != '\0' || number > most || number < 0 ? -1 : number;
}

int main(int argc, char **argv) {
    const char *port = "pty";
    const char *hub = NULL;
    const char *folder = NULL;
    const char *counter = NULL;
    bool valid = argc % 2 == 1; /* the program's name, then pairs of option and value */
    for (int i = 1; valid && i < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0) {
            port = argv[i + 1];
        } else if (strcmp(argv[i], "--radio") == 0) {
            hub = argv[i + 1];
        } else if (strcmp(argv[i], "--camera") == 0) {
            folder = argv[i + 1];
        } else if (strcmp(argv[i], "--counter") == 0) {
            counter = argv[i + 1];
        } else {
            const bool is_device = strcmp(argv[i], "--device") == 0;
            const long number = parse_number(argv[i + 1], is_device ? 254 : UINT16_MAX);
            valid = number >= 0 && (is_device || strcmp(argv[i], "--battery") == 0);
            if (valid && is_device) {
                line_device = (uint8_t)number;
            } else if (valid) {
                battery_mv = (uint16_t)number;
            }
        }
    }
    if (!valid) {
        fprintf(stderr,
                "usage: %s [--port pty|tcp:PORT|stdio] [--radio tcp:HOST:PORT] [--camera FOLDER] [--counter FILE] "
                "[--device 0..254] [--battery MILLIVOLTS]\n",
                argv[0]);
        return 2;
    }
    handle_signals();
    if ((hub != NULL && !radio_hub_set_address(hub)) || (folder != NULL && !recording_set_folder(folder)) ||
        (counter != NULL && !numbers_set_file(counter)) || !serial_open(port)) {
        return 1;
    }
    restart_watch(argv);
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

/* In short naps, so that a signal just before one does not delay the exit. */
void board_sleep(uint32_t seconds) {
    const struct timespec nap = {.tv_nsec = NAP_NANOSECONDS};
    const uint64_t end = nanoseconds() + (uint64_t)seconds * NANOSECONDS;
    while (!serial_ended() && nanoseconds() < end) {
        board_progress();
        nanosleep(&nap, NULL);
    }
}

bool board_woke(void) {
    return false; /* board_sleep() returns */
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

uint16_t board_battery_mv(void) {
    return battery_mv;
}
