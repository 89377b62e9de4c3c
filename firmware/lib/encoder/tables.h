/* The bundle's tables, which both engines check at the start. */
#ifndef INKLING_ENCODER_TABLES_H
#define INKLING_ENCODER_TABLES_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether symbol table, symbol order and chunks are what was built in. */
bool encoder_tables_intact(void);

#ifdef __cplusplus
}
#endif

#endif
