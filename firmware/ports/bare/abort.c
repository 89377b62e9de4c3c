/* abort() where there is nothing to return to: a fault, which restarts the board. The C library's own would bring in
 * signals, and with them a heap. Only third-party code calls it. */
#include <stdlib.h>

_Noreturn void abort(void) {
    __builtin_trap();
}
