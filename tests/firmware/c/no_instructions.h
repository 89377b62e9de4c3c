/* Lets the host's assembler accept the instructions of the bare ports' processors; they do nothing. Included first. */
__asm__(".macro wfi\n.endm\n"
        ".macro dsb\n.endm\n"
        ".macro isb\n.endm\n"
        ".macro cpsid flags\n.endm\n"
        ".macro cpsie flags\n.endm\n"
        ".macro csrs csr, value\n.endm\n"
        ".macro csrr value, csr\n.endm\n");
