/* Memory that a reset does not clear: the word of board_keep(), and the mark of a crash. */
#ifndef INKLING_BARE_KEPT_H
#define INKLING_BARE_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#define KEPT_CRASH_MARK 0x43524153u

/* KEPT_CRASH_MARK from a fault to the next kept_take_crash(). A fault handler may have no stack, so it stores the mark
 * itself. */
extern volatile uint32_t kept_crash;

/* Return true if a fault restarted the program, and forget it. Call once, at the start. */
bool kept_take_crash(void);

#endif
