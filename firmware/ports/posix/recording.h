/* The process's camera plays recorded frames. */
#ifndef INKLING_POSIX_RECORDING_H
#define INKLING_POSIX_RECORDING_H

#include <stdbool.h>

/* The folder to play, over and over, in the order of its names: binary PPM and PGM (P6 and P5, 8 bits), and RGB565 as a
 * camera sends it, most significant byte first, in a file whose name ends in WIDTHxHEIGHT.rgb565. Other files are
 * passed over. False, with one line on standard error, when this build has no camera. */
bool recording_set_folder(const char *folder);

#endif
