/* The application: answers commands that come over the board's serial line. A port's entry calls these two. */
#ifndef INKLING_APP_H
#define INKLING_APP_H

#ifdef __cplusplus
extern "C" {
#endif

void app_start(void);

/* Handles every byte that is there, then sleeps until more may be. Call it forever. */
void app_step(void);

#ifdef __cplusplus
}
#endif

#endif
