/* Mock of STM32duino core 2.12.0: cores/arduino/Arduino.h and what it includes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LOW 0x0
#define HIGH 0x1

#ifndef SERIAL_RX_BUFFER_SIZE
#define SERIAL_RX_BUFFER_SIZE 64
#endif

class HardwareSerial {
  public:
    void begin(unsigned long baud);
    int available(void);
    int read(void);
    size_t write(const uint8_t *buffer, size_t size);
    void flush();
};

class USBSerial {
  public:
    void begin(uint32_t baud);
    int available(void);
    int read(void);
    size_t write(const uint8_t *buffer, size_t size);
    void flush(void);
};

extern HardwareSerial Serial2;
extern USBSerial SerialUSB;

#if defined(USBCON) && defined(USBD_USE_CDC)
#define Serial SerialUSB
#else
#define Serial Serial2
#endif

#ifdef STM32WLxx /* variant_NUCLEO_WL55JC1.h */
#define PC3 23
#define PC4 33
#define PC5 32
#define LORAWAN_RFSWITCH_PINS PC3, PC4, PC5
#define LORAWAN_RFSWITCH_PIN_COUNT 3
#define LORAWAN_RFSWITCH_OFF_VALUES LOW, LOW, LOW
#define LORAWAN_RFSWITCH_RX_VALUES HIGH, HIGH, LOW
#define LORAWAN_RFSWITCH_RFO_LP_VALUES HIGH, HIGH, HIGH
#define LORAWAN_RFSWITCH_RFO_HP_VALUES HIGH, LOW, HIGH
#endif

#include "stm32_chip.h"

#define PA0 192
#define AVREF 0xF02 /* the converter's channel of the internal reference */

extern "C" {
uint32_t analogRead(uint32_t ulPin);
void analogReadResolution(int res);
extern uint32_t SystemCoreClock;
uint32_t millis(void);
uint32_t micros(void);
void wait_for_interrupt(void);
uintptr_t stack_pointer(void);
void NVIC_SystemReset(void) __attribute__((noreturn)); /* of CMSIS */
}

#define __WFI wait_for_interrupt /* single instructions in CMSIS */
#define __get_MSP stack_pointer

void setup(void);
void loop(void);
