#include "machine.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <Arduino.h>

namespace {

constexpr int BURST_GAP_MS = 20;

uint8_t ring[8192];
size_t ring_in;
size_t ring_out;
size_t ring_capacity;
void (*report_loss)();

size_t waiting() {
    return ring_in - ring_out;
}

bool readable(int milliseconds) {
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    return poll(&input, 1, milliseconds) > 0;
}

/* Read from the line: a whole burst, or up to one byte less than fits, because a full buffer counts as a loss. */
void collect() {
    static const bool rush = getenv("INKLING_RUSH") != nullptr;
    uint8_t byte;
    while ((rush || waiting() + 1 < ring_capacity) && readable(rush && waiting() > 0 ? BURST_GAP_MS : 0)) {
        if (read(STDIN_FILENO, &byte, 1) != 1) {
            exit(0); /* the test has ended */
        }
        if (waiting() < ring_capacity) {
            ring[ring_in++ % sizeof ring] = byte;
        } else if (report_loss != nullptr) {
            report_loss();
        }
    }
}

} // namespace

__attribute__((weak)) void radio_poll() {}

void line_open(size_t capacity, void (*on_loss)()) {
    ring_capacity = capacity;
    report_loss = on_loss;
}

int line_available() {
    collect();
    return static_cast<int>(waiting());
}

int line_read() {
    if (waiting() == 0) {
        collect();
    }
    return waiting() == 0 ? -1 : ring[ring_out++ % sizeof ring];
}

size_t line_write(const uint8_t *bytes, size_t count) {
    const ssize_t sent = write(STDOUT_FILENO, bytes, count);
    return sent > 0 ? static_cast<size_t>(sent) : 0;
}

void line_wait(unsigned milliseconds) {
    readable(static_cast<int>(milliseconds));
}

uint64_t nanoseconds() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

void note(const char *format, ...) {
    static FILE *log = getenv("INKLING_LOG") != nullptr ? fopen(getenv("INKLING_LOG"), "a") : nullptr;
    if (log != nullptr) {
        va_list values;
        va_start(values, format);
        vfprintf(log, format, values);
        va_end(values);
        fputc('\n', log);
        fflush(log);
    }
}

bool broken() {
    return getenv("INKLING_BROKEN") != nullptr;
}

int main() {
    setup();
    for (;;) {
        radio_poll();
        loop();
    }
}
