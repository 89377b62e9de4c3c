/* Mock of RadioLib 7.7.1: plain LoRa with an SX1262, an SX1276 and the radio of an STM32WL. */
#pragma once

#include <Arduino.h>
#include <SPI.h>

#define RADIOLIB_NC (0xFFFFFFFF)

#define RADIOLIB_ERR_NONE (0)
#define RADIOLIB_ERR_CHIP_NOT_FOUND (-2)
#define RADIOLIB_ERR_CRC_MISMATCH (-7)
#define RADIOLIB_ERR_LORA_HEADER_DAMAGED (-24)
#define RADIOLIB_ERR_UNKNOWN (-1)

#define RADIOLIB_SX126X_STATUS_MODE_STDBY_RC 0b00100000
#define RADIOLIB_SX126X_STATUS_MODE_RX 0b01010000
#define RADIOLIB_SX127X_REG_OP_MODE 0x01
#define RADIOLIB_SX127X_RXCONTINUOUS 0b00000101

#define RADIOLIB_SX126X_SYNC_WORD_PRIVATE 0x12
#define RADIOLIB_SX127X_SYNC_WORD 0x12

class ArduinoHal {
  public:
    explicit ArduinoHal(SPIClass &spi);
};

class Module {
  public:
    static const size_t RFSWITCH_MAX_PINS = 5;

    struct RfSwitchMode_t {
        uint8_t mode;
        uint32_t values[RFSWITCH_MAX_PINS];
    };

    enum OpMode_t { MODE_END_OF_TABLE = 0, MODE_IDLE, MODE_RX, MODE_TX };

    Module(ArduinoHal *hal, uint32_t cs, uint32_t irq, uint32_t rst, uint32_t gpio = RADIOLIB_NC);
    int16_t SPIgetRegValue(uint32_t reg, uint8_t msb = 7, uint8_t lsb = 0);
};

// clang-format off
#define END_OF_MODE_TABLE {Module::MODE_END_OF_TABLE, {}}
// clang-format on

enum RadioLibIrqType_t { RADIOLIB_IRQ_TX_DONE = 0x00, RADIOLIB_IRQ_RX_DONE = 0x01 };

class PhysicalLayer {
  public:
    int16_t checkIrq(RadioLibIrqType_t irq);
    virtual ~PhysicalLayer() = default;
    int16_t transmit(const char *str, uint8_t addr = 0);
    virtual int16_t transmit(const uint8_t *data, size_t len, uint8_t addr = 0);
    virtual int16_t sleep();
    virtual int16_t standby();
    virtual int16_t startReceive();
    virtual int16_t readData(uint8_t *data, size_t len);
    virtual size_t getPacketLength(bool update = true);
    virtual float getRSSI();
    virtual float getSNR();
    virtual void setPacketReceivedAction(void (*func)(void));
    virtual void clearPacketReceivedAction();
};

class SX1262 : public PhysicalLayer {
  public:
    SX1262(Module *mod);
    virtual int16_t begin(float freq = 434.0, float bw = 125.0, uint8_t sf = 9, uint8_t cr = 7,
                          uint8_t syncWord = RADIOLIB_SX126X_SYNC_WORD_PRIVATE, int8_t power = 10,
                          uint16_t preambleLength = 8, float tcxoVoltage = 1.6, bool useRegulatorLDO = false);
    int16_t setCurrentLimit(float currentLimit);
    int16_t implicitHeader(size_t len);
    void setRfSwitchTable(const uint32_t (&pins)[Module::RFSWITCH_MAX_PINS], const Module::RfSwitchMode_t table[]);

  protected:
    uint8_t getStatus();
};

class SX1276 : public PhysicalLayer {
  public:
    SX1276(Module *mod);
    int16_t begin(float freq = 434.0, float bw = 125.0, uint8_t sf = 9, uint8_t cr = 7,
                  uint8_t syncWord = RADIOLIB_SX127X_SYNC_WORD, int8_t power = 10, uint16_t preambleLength = 8,
                  uint8_t gain = 0);
    int16_t setCurrentLimit(uint8_t currentLimit);
    int16_t implicitHeader(size_t len);
};

class STM32WLx_Module : public Module {
  public:
    STM32WLx_Module();
};

class STM32WLx : public SX1262 {
  public:
    STM32WLx(Module *mod);
    enum OpMode_t {
        MODE_END_OF_TABLE = Module::MODE_END_OF_TABLE,
        MODE_IDLE = Module::MODE_IDLE,
        MODE_RX = Module::MODE_RX,
        MODE_TX_LP = Module::MODE_TX,
        MODE_TX_HP
    };
};
