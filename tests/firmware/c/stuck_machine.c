/* Test program for the bare ports, on the host: hardware that has stopped responding. Each register that a port uses is
 * memory at the register's own address, with a value that never changes by itself. Arguments: ACTION ADDRESS=VALUE ...,
 * in hex. Does the action and prints a number: "write" 3000 bytes, 0; "clock", the frequency of the processor in Hz;
 * "sleep" for an hour, the microseconds since the start. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "board.h"

#define PAGE_BYTES 4096u

void clock_start(void) __attribute__((weak)); /* of some ports */

static bool set_register(const char *text) {
    unsigned long address;
    unsigned value;
    if (sscanf(text, "%lx=%x", &address, &value) != 2) {
        return false;
    }
    void *page = (void *)(address & ~(PAGE_BYTES - 1ul));
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    // cppcheck-suppress invalidFunctionArg - an anonymous mapping has descriptor -1
    void *mapped = mmap(page, PAGE_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    *(volatile uint32_t *)address = value; /* a page that another register shares is mapped already */
    // cppcheck-suppress memleak - the registers stay
    return mapped == page || mapped == MAP_FAILED;
}

int main(int argc, char **argv) {
    static const uint8_t bytes[3000];
    for (int i = 2; i < argc; i++) {
        if (!set_register(argv[i])) {
            return 2;
        }
    }
    uint32_t result = 0;
    if (strcmp(argv[1], "write") == 0) {
        board_write(bytes, sizeof bytes);
    } else if (strcmp(argv[1], "clock") == 0) {
        clock_start();
        result = board_clock_hz();
    } else {
        board_sleep(3600u);
        result = board_micros();
    }
    printf("%u\n", (unsigned)result);
    return 0;
}
