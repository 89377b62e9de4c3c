/* Test program for the bare ports, on the host: hardware that has stopped responding. Each register that a port uses is
 * memory at the register's own address, with a value that never changes by itself. Arguments: ACTION ADDRESS=VALUE ...,
 * in hex. Does the action and prints a number: "write" 3000 bytes, 0; "clock", the frequency of the processor in Hz;
 * "sleep" for an hour, the microseconds since the start; "cause", that of the last reset; "watchdog", the key that its
 * register has got at last; "numbers", the limit that permanent memory, which takes every value, keeps after a write of
 * it, 0 if the write fails. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "board.h"

#define PAGE_BYTES 4096u

#define NUMBERS_ADDRESS 0x080C0000ul
#define NUMBERS_BYTES 0x40000u

/* of some ports */
void clock_start(void) __attribute__((weak));
void reset_start(void) __attribute__((weak));
uint8_t board_reset_cause(void) __attribute__((weak));
void board_progress(void) __attribute__((weak));
bool board_numbers_read(struct board_numbers *numbers) __attribute__((weak));
bool board_numbers_write(const struct board_numbers *numbers) __attribute__((weak));

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

static uint32_t write_numbers(void) {
    struct board_numbers numbers;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    // cppcheck-suppress invalidFunctionArg - an anonymous mapping has descriptor -1
    void *memory = mmap((void *)NUMBERS_ADDRESS, NUMBERS_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    memset(memory, 0xFF, NUMBERS_BYTES);
    board_numbers_read(&numbers);
    numbers = (struct board_numbers){.limit = numbers.limit + 1234u, .boots = numbers.boots + 1u};
    const bool written = board_numbers_write(&numbers);
    board_numbers_read(&numbers);
    // cppcheck-suppress memleak - the memory stays
    return written ? numbers.limit : 0u;
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
    } else if (strcmp(argv[1], "cause") == 0) {
        reset_start();
        result = board_reset_cause();
    } else if (strcmp(argv[1], "watchdog") == 0) {
        reset_start();
        *(volatile uint32_t *)0x40003000ul = 0u;
        board_progress();
        result = *(volatile uint32_t *)0x40003000ul;
    } else if (strcmp(argv[1], "numbers") == 0) {
        result = write_numbers();
    } else {
        board_sleep(3600u);
        result = board_micros();
    }
    printf("%u\n", (unsigned)result);
    return 0;
}
