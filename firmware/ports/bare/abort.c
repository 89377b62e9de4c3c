/* Ends of a program that cannot go on, by a fault, which restarts the board. */
#include <stdint.h>
#include <stdlib.h>

/* The C library's version needs signals and a heap. */
_Noreturn void abort(void) {
#ifdef __riscv
    /* Write a read-only register. __builtin_trap() is a breakpoint, at which a debugger or a simulator stops. */
    __asm__ volatile("csrw cycle, zero");
#endif
    __builtin_trap();
}

/* For -fstack-protector-strong. In flash, so that it is valid before RAM is, and cannot be overwritten. Its bytes end
 * strings and lines. */
const uintptr_t __stack_chk_guard = 0xFF0A0D00u;

_Noreturn void __stack_chk_fail(void);

_Noreturn void __stack_chk_fail(void) {
    abort();
}
