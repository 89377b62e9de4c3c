/* The machine under the stand-ins, told what to be by the process's environment:
 *
 *   INKLING_RUSH=1    the host sends at its own pace and loses what finds no room, as on a UART; else it is held back
 *   INKLING_AIR=FILE  packets in the air, a line each: "CRC RSSI SNR BYTES", CRC ok, bad or none, BYTES in hex
 *   INKLING_LOG=FILE  what the program did to radio, camera and sleep, a line each
 *   INKLING_BROKEN=1  radio and camera do not answer
 *   INKLING_FRAME=FILE  what the camera sees: the frame's bytes
 *   INKLING_MUTE=1    the camera answers, but gives no frames
 *   INKLING_WOKE=1    the timer of a deep sleep started the board
 */
#ifndef INKLING_TEST_MACHINE_H
#define INKLING_TEST_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* The serial line. room: bytes that the core's buffer holds; lost: called when some found none. */
void line_open(size_t room, void (*lost)());
int line_available();
int line_read();
size_t line_write(const uint8_t *bytes, size_t count);

/* Lets time and bytes come: at most so long, or until something is there. */
void line_wait(unsigned milliseconds);

uint64_t nanoseconds();

/* A line of the log, as by printf. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

bool broken();

/* A packet comes out of the air, if one is due and the radio listens. Boards without a radio have none. */
void radio_poll();

#endif
