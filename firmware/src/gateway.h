/* The receiving end of the radio link, with INKLING_GATEWAY=1 beside INKLING_RADIO=1: every packet that the radio
 * hears, good or corrupt, goes to the host. */
#ifndef INKLING_GATEWAY_H
#define INKLING_GATEWAY_H

#if INKLING_GATEWAY

/* Starts to listen. If the radio does not answer, the host is told, and the board serves its commands all the same. */
void gateway_start(void);

/* Hands on what has come since the last call. A radio that does not listen is started again every 5 s. */
void gateway_step(void);

#else

static inline void gateway_start(void) {}

static inline void gateway_step(void) {}

#endif

#endif
