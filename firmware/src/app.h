/* Application: answers the commands that arrive over the serial line. The port's entry calls these functions. */
#ifndef INKLING_APP_H
#define INKLING_APP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Call once, first. */
void app_start(void);

/* Handle all received bytes, then sleep until there may be more. Call in an endless loop. */
void app_step(void);

#ifdef __cplusplus
}
#endif

#endif
