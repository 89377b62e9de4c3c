/* abort() by a fault, which restarts the board. The C library's version needs signals and a heap. Only third-party code
 * calls it. */
#include <stdlib.h>

_Noreturn void abort(void) {
    __builtin_trap();
}
