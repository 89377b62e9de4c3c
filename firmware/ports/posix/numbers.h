/* Permanent memory of the process: a file of one line, "LIMIT BOOTS", and the device key in hex if there is one. Only
 * its owner may read it. */
#ifndef INKLING_POSIX_NUMBERS_H
#define INKLING_POSIX_NUMBERS_H

#include <stdbool.h>

/* Use this file; it need not exist yet. A lock file beside it keeps other processes away until this one ends. Returns
 * false, with one line on standard error, if it cannot be read or locked, or is not such a file. */
bool numbers_set_file(const char *path);

#endif
