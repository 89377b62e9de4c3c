/* Receiving end of a radio link (INKLING_RADIO=1 and INKLING_GATEWAY=1): every received packet, intact or damaged, goes
 * to the host. */
#ifndef INKLING_GATEWAY_H
#define INKLING_GATEWAY_H

#if INKLING_GATEWAY

/* Start receiving. If the radio does not respond, an error goes to the host, and commands still work. */
void gateway_start(void);

/* Forward the packets received since the last call. Every 5 s the radio is
 * asked whether it receives; it is restarted if it does not. */
void gateway_step(void);

/* Start receiving anew: packets with implicit headers are longer if this board has a key. */
void gateway_restart(void);

#else

static inline void gateway_restart(void) {}

static inline void gateway_start(void) {}

static inline void gateway_step(void) {}

#endif

#endif
