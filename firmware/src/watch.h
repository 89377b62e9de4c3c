/* Pictures that nobody asked for, on boards with a camera: every so often, or when something has moved, with deep sleep
 * in between. Build flags say which:
 *
 *     INKLING_PERIOD_S     a look every so many seconds, 1 to 86400; 0 (default): pictures on command only
 *     INKLING_MOTION       send what has changed by so many grey levels in the mean since the last picture sent; 0
 *                          (default): send every look
 *     INKLING_DEEP_SLEEP   1: sleep for the period between looks, deaf to commands. 0 (default): stay awake
 *     INKLING_AWAKE_S      with deep sleep: how long to listen before the first one, and after each command (10) */
#ifndef INKLING_WATCH_H
#define INKLING_WATCH_H

#ifndef INKLING_PERIOD_S
#define INKLING_PERIOD_S 0
#endif
#ifndef INKLING_MOTION
#define INKLING_MOTION 0
#endif
#ifndef INKLING_DEEP_SLEEP
#define INKLING_DEEP_SLEEP 0
#endif
#ifndef INKLING_AWAKE_S
#define INKLING_AWAKE_S 10
#endif

#if INKLING_CAMERA && INKLING_PERIOD_S > 0

/* Call it once, first, if the encoder works: without it, the others do nothing. */
void watch_start(void);

/* A command has been answered: the next look is a period away, so that the next command may be about the same picture.
 * With deep sleep, the board listens on for INKLING_AWAKE_S. */
void watch_command_done(void);

/* Looks when it is time to, and sleeps. Call it often, while the encoder's input is free. */
void watch_step(void);

#else

static inline void watch_start(void) {}

static inline void watch_command_done(void) {}

static inline void watch_step(void) {}

#endif

#endif
