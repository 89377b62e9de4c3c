/* Simulated radio: the process connects to a hub, `python -m channel_sim air`, which links all radios. */
#ifndef INKLING_POSIX_RADIO_HUB_H
#define INKLING_POSIX_RADIO_HUB_H

#include <stdbool.h>

/* Set the hub's address, "tcp:HOST:PORT"; the radio connects when it starts. Returns false, with one line on standard
 * error, if the address is invalid or this build has no radio. */
bool radio_hub_set_address(const char *address);

/* Return a file descriptor that is readable when the radio may have received; -1 while the radio is not receiving. */
int radio_hub_descriptor(void);

#endif
