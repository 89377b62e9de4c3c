/* Integrity check of the bundle's tables, for both engines. */
#ifndef INKLING_ENCODER_TABLES_H
#define INKLING_ENCODER_TABLES_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Return true if symbol table, symbol order, chunks and answer weights have the CRC-32 that was built in. */
bool encoder_tables_intact(void);

#ifdef __cplusplus
}
#endif

#endif
