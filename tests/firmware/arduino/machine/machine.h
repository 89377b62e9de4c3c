/* Simulated machine behind the mocks, configured by environment variables:
 *
 *   INKLING_RUSH=1      no flow control: bytes that do not fit into the receive buffer are lost, as on a UART
 *   INKLING_AIR=FILE    packets to receive, one per line: "CRC RSSI SNR BYTES"; CRC: ok, bad or none; BYTES in hex
 *   INKLING_LOG=FILE    log of the calls to radio, camera and sleep, one per line
 *   INKLING_BROKEN=1    radio and camera do not respond
 *   INKLING_OUTAGE=N    after its first packet, the radio fails, and N starts of it; its pin then makes many edges
 *   INKLING_FRAME=FILE  the camera's frame, as bytes
 *   INKLING_ODD=KIND    the camera's frames differ from its settings: cut, jpeg, wide, huge, null
 *   INKLING_MUTE=1      the camera responds, but gives no frames
 *   INKLING_STACK=N     the stack of an STM32's application grows to N of 8191 bytes, at its start
 *   INKLING_SMASHED=1   an STM32 finds the stack of a function overwritten, at its first pause
 *   INKLING_WOKE=1      the timer of a deep sleep started the board
 *   INKLING_RESET=N     the chip's reset flags or reason: hexadecimal flags of an STM32, number of an ESP32's reason
 *   INKLING_BACKUP=N=WORD,...  backup registers of an STM32; words in hexadecimal
 *   INKLING_FLASH=FILE  the flash of an STM32, or an ESP32's non-volatile storage; without it, it begins empty
 *   INKLING_READ_ONLY=1 it cannot be written
 *   INKLING_PIN_MV=PIN=N    voltage at an analogue pin of an ESP32 in millivolts; at all others it is 0
 *   INKLING_WRITES=N    power fails at the write after N of an ESP32's storage
 *   INKLING_LOST_EDGES=N    the first N packets raise no interrupt
 *   INKLING_DEAF=N      after its first packet, the radio leaves its receive mode without a sign, N times
 */
#ifndef INKLING_TEST_MACHINE_H
#define INKLING_TEST_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* Open the serial line. capacity: bytes in the core's receive buffer; on_loss: called for each lost byte, or null. */
void line_open(size_t capacity, void (*on_loss)());
int line_available();
int line_read();
size_t line_write(const uint8_t *bytes, size_t count);

/* Wait until bytes are available, for at most this time. */
void line_wait(unsigned milliseconds);

uint64_t nanoseconds();

/* Write a line to the log, formatted as by printf. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Return true if radio and camera do not respond. */
bool broken();

/* Receive the next packet, if the radio is listening. Does nothing on boards without a radio. */
void radio_poll();

#endif
