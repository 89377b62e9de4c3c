/* What the start of a bare RISC-V program knows of the chip it is on. */
#ifndef INKLING_RV32_MACHINE_H
#define INKLING_RV32_MACHINE_H

/* Sets up clocks, timers and the serial line. After a fault it finds them as the program left them. */
void machine_start(void);

#endif
