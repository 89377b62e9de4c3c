/* Mock of Arduino core 2.0.17 for the ESP32 family: cores/esp32/Arduino.h and what it includes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "esp_attr.h"

#define LOW 0x0
#define HIGH 0x1
#define OUTPUT 0x03

typedef enum {
    UART_BREAK_ERROR,
    UART_BUFFER_FULL_ERROR,
    UART_FIFO_OVF_ERROR,
    UART_FRAME_ERROR,
    UART_PARITY_ERROR
} hardwareSerial_error_t;

typedef void (*OnReceiveErrorCb)(hardwareSerial_error_t); /* a std::function in the core, but that compiles slowly */

class HardwareSerial {
  public:
    size_t setRxBufferSize(size_t new_size);
    void begin(unsigned long baud);
    void onReceiveError(OnReceiveErrorCb function);
    int available(void);
    int read(void);
    size_t write(const uint8_t *buffer, size_t size);
    void flush(void);
};

extern HardwareSerial Serial;

class EspClass {
  public:
    uint32_t getCycleCount();
};

extern EspClass ESP;

size_t getArduinoLoopTaskStackSize(void);

extern "C" {
typedef unsigned int UBaseType_t;
typedef void *TaskHandle_t;
UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t task);

uint32_t getCpuFrequencyMhz();
void disableCore0WDT();
unsigned long micros();
unsigned long millis();
void delay(uint32_t ms);
void pinMode(uint8_t pin, uint8_t mode);
uint32_t analogReadMilliVolts(uint8_t pin);
void digitalWrite(uint8_t pin, uint8_t val);
}

void setup(void);
void loop(void);
