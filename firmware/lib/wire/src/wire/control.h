/* Constants of commands and replies: docs/SPEC.md. */
#ifndef INKLING_WIRE_CONTROL_H
#define INKLING_WIRE_CONTROL_H

#define WIRE_REPLY_BIT 0x80u      /* set in a reply's opcode, the rest is the command's */
#define WIRE_SEALED_BIT 0x40u     /* set in the opcode of a sealed command, whose seal follows its data */
#define WIRE_SEAL_BYTES 12u       /* counter and tag */
#define WIRE_TIMEOUT_MS 1000u     /* silence within a command that ends it */
#define WIRE_COMMAND_MS 2000u     /* limit for a whole command, from its sync; more by WIRE_BYTE_MS per data byte */
#define WIRE_BYTE_MS 2u           /* at 9600 baud, a byte takes 1 ms */
#define WIRE_RUN_WANTS_COST 0x01u /* flags of RUN and CAPTURE */
#define WIRE_RUN_BY_RADIO 0x02u
#define WIRE_RUN_BY_MODE 0x04u   /* send the answer or features, by the board's mode; otherwise features */
#define WIRE_ANSWER 254u         /* chunk of a report by radio: an answer frame was sent */
#define WIRE_LONGEST_PREFIX 255u /* chunk of RUN by radio: the longest prefix that the remaining air time allows */
#define WIRE_KEY_HAS_KEY 0x01u   /* flags of the reply to KEY */
#define WIRE_KEY_PERMANENT 0x02u /* the board keeps the key without power */
#define WIRE_PACKET_CRC_OK 0x01u /* flag of PACKET */
#define WIRE_BENCH_MAX_REPEATS 100u

enum wire_opcode {
    WIRE_INFO = 0x01,
    WIRE_RUN = 0x02,
    WIRE_BENCH = 0x03,
    WIRE_CAPTURE = 0x04,
    WIRE_PIXELS = 0x05,
    WIRE_PACKET = 0x06,
    WIRE_MODE = 0x07,
    WIRE_STATUS = 0x08,
    WIRE_KEY = 0x09,
    WIRE_ERROR = 0xFF
};

/* Frames that a board sends for an image. Adaptive: an answer if its confidence level is at least the threshold,
 * otherwise features. */
enum wire_mode { WIRE_MODE_FEATURES = 0, WIRE_MODE_ANSWER = 1, WIRE_MODE_ADAPTIVE = 2 };

enum wire_error {
    WIRE_ERROR_NONE = 0,
    WIRE_ERROR_BAD_HEADER = 1,
    WIRE_ERROR_TOO_LONG = 2,
    WIRE_ERROR_BAD_CRC = 3,
    WIRE_ERROR_TIMEOUT = 4,
    WIRE_ERROR_UNKNOWN_COMMAND = 5,
    WIRE_ERROR_BAD_LENGTH = 6,
    WIRE_ERROR_BAD_ARGUMENT = 7,
    WIRE_ERROR_ENGINE = 8,
    WIRE_ERROR_OVERRUN = 9,
    WIRE_ERROR_MODEL_DAMAGED = 10,
    WIRE_ERROR_MODEL_VERSION = 11,
    WIRE_ERROR_MODEL_OPS = 12,
    WIRE_ERROR_MODEL_ARENA = 13,
    WIRE_ERROR_MODEL_SHAPE = 14,
    WIRE_ERROR_CAMERA = 15,
    WIRE_ERROR_RADIO = 16,
    WIRE_ERROR_AIR_TIME = 17,
    WIRE_ERROR_NOT_AUTHENTIC = 18,
    WIRE_ERROR_MEMORY = 19
};

#endif
