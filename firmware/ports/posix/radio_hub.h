/* Where the process's radio is: at a hub that stands for the air, `python -m channel_sim air`. */
#ifndef INKLING_POSIX_RADIO_HUB_H
#define INKLING_POSIX_RADIO_HUB_H

#include <stdbool.h>

/* where: "tcp:HOST:PORT", to be connected to when the radio starts. False, with one line on standard error, when it is
 * no such place or this build has no radio. */
bool radio_hub_set_address(const char *where);

/* Becomes readable when the radio hears something; -1 while it does not listen. */
int radio_hub_descriptor(void);

#endif
