/* Chip-specific part of the start of a bare RISC-V program. */
#ifndef INKLING_RV32_MACHINE_H
#define INKLING_RV32_MACHINE_H

/* Set up clocks, timers and the serial line. After a fault they are in the state that the program left. */
void machine_start(void);

#endif
