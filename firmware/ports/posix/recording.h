/* Simulated camera: plays recorded images from a folder. */
#ifndef INKLING_POSIX_RECORDING_H
#define INKLING_POSIX_RECORDING_H

#include <stdbool.h>

/* Set the folder to play, in the order of file names and in a loop: binary PPM and PGM (P6 and P5, 8 bits), and RGB565,
 * most significant byte first, in files named ...WIDTHxHEIGHT.rgb565. Other files are skipped. Returns false, with one
 * line on standard error, if this build has no camera. */
bool recording_set_folder(const char *folder);

#endif
