/* Simulated radio: a TCP connection to a hub. channel_sim/live/radio_hub.py describes the messages. */
#define _XOPEN_SOURCE 700
#include "radio_hub.h"

#include <stdio.h>

#if INKLING_RADIO

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "air_time.h"
#include "board.h"
#include "line.h"
#include "radio.h"
#include "wire/bytes.h"

#define ANSWER_MS 5000 /* long, for a hub on a busy machine */
#define HELLO_BYTES 16u
#define RECEIVED_HEAD 6u /* flags, RSSI, SNR, length */

static char host[256];
static char port[6];
static int hub = -1;
static bool listening;
static struct radio_settings current;

/* Bytes from the hub that have not been processed. Larger than the longest message. */
static uint8_t received[1024];
static size_t received_count;

bool radio_hub_set_address(const char *address) {
    const char *name = strncmp(address, "tcp:", 4) == 0 ? address + 4 : "";
    const char *colon = strrchr(name, ':');
    const size_t name_bytes = colon == NULL ? 0u : (size_t)(colon - name);
    if (name_bytes == 0u || name_bytes >= sizeof host || colon[1] == '\0' || strlen(colon + 1) >= sizeof port) {
        fprintf(stderr, "inkling: --radio is tcp:HOST:PORT, not %s\n", address);
        return false;
    }
    memcpy(host, name, name_bytes);
    host[name_bytes] = '\0';
    strcpy(port, colon + 1);
    return true;
}

int radio_hub_descriptor(void) {
    return listening ? hub : -1;
}

static void disconnect(void) {
    if (hub >= 0) {
        close(hub);
    }
    hub = -1;
    listening = false;
    received_count = 0;
}

/* Print the failure, disconnect and return false. */
static bool fail(const char *what) {
    fprintf(stderr, "inkling: radio at %s:%s: %s\n", host, port, what);
    disconnect();
    return false;
}

static bool connect_to_hub(void) {
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    const int problem = host[0] == '\0' ? EAI_NONAME : getaddrinfo(host, port, &hints, &found);
    if (problem != 0) {
        return fail(host[0] == '\0' ? "none; give --radio tcp:HOST:PORT" : gai_strerror(problem));
    }
    const int on = 1;
    const struct timeval limit = {.tv_sec = ANSWER_MS / 1000}; /* of connect() and write(): socket(7) */
    hub = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    const bool connected = hub >= 0 && setsockopt(hub, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
                           setsockopt(hub, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
                           connect(hub, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    if (!connected) {
        return fail(strerror(errno));
    }
    return true;
}

static bool send_to_hub(const uint8_t *bytes, size_t count) {
    while (hub >= 0 && count > 0u) {
        const ssize_t sent = write(hub, bytes, count);
        if (sent <= 0) { /* also on a signal, which ends the process */
            return fail(strerror(errno));
        }
        bytes += sent;
        count -= (size_t)sent;
    }
    return hub >= 0;
}

/* Read the bytes that have arrived. Returns false if the hub has disconnected. */
static bool receive(void) {
    const ssize_t got = recv(hub, received + received_count, sizeof received - received_count, MSG_DONTWAIT);
    if (got == 0) {
        return fail("the hub has disconnected");
    }
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || fail(strerror(errno));
    }
    received_count += (size_t)got;
    return true;
}

/* Return the size of the message at the start of received[]; 0 while it is incomplete. */
static size_t message_size(void) {
    size_t size = 1;
    if (received_count > 1u && received[0] == 'N') {
        size = 2u + received[1];
    } else if (received_count > RECEIVED_HEAD && received[0] == 'R') {
        size = 1u + RECEIVED_HEAD + received[RECEIVED_HEAD];
    } else if (received_count == 0u || received[0] == 'N' || received[0] == 'R') {
        return 0u;
    }
    return received_count >= size ? size : 0u;
}

static void discard(size_t count) {
    received_count -= count;
    memmove(received, received + count, received_count);
}

/* Wait for a message of this kind and discard it. Returns false if the hub refuses or does not send it in time, or on a
 * signal. Packets that arrive meanwhile are lost, as with a radio that is not receiving. */
static bool wait_for(uint8_t kind, uint32_t milliseconds) {
    const uint32_t start = board_micros();
    struct pollfd ready = {.fd = hub, .events = POLLIN, .revents = 0};
    for (;;) {
        for (size_t size = message_size(); size > 0u; size = message_size()) {
            const uint8_t got = received[0];
            if (got == 'N') {
                fprintf(stderr, "inkling: radio: %.*s\n", (int)(size - 2u), (const char *)received + 2);
            }
            discard(size);
            if (got == kind || got == 'N') {
                return got == kind;
            }
        }
        const uint32_t passed = (board_micros() - start) / 1000u; /* other messages do not prolong the wait */
        const int events = passed < milliseconds ? poll(&ready, 1, (int)(milliseconds - passed)) : 0;
        if (events == 0) {
            return fail("no answer");
        }
        if (events < 0 || !receive()) { /* a signal ends the process */
            return false;
        }
    }
}

bool radio_start(const struct radio_settings *settings) {
    uint8_t hello[HELLO_BYTES];
    current = *settings;
    uint8_t *next = wire_put_u8(wire_put_u8(hello, 'H'), line_device);
    next = wire_put_u32(wire_put_u32(next, settings->frequency_hz), settings->bandwidth_hz);
    next = wire_put_u8(wire_put_u8(next, settings->spreading_factor), settings->coding_rate);
    next = wire_put_u16(next, settings->preamble_symbols);
    wire_put_u8(wire_put_u8(next, settings->implicit_bytes), settings->sync_word);
    listening = false;
    return (hub >= 0 || connect_to_hub()) && send_to_hub(hello, sizeof hello) && wait_for('Y', ANSWER_MS);
}

bool radio_send(const uint8_t *packet, size_t length) {
    const uint8_t head[] = {'S', (uint8_t)length};
    listening = false;
    return length >= 1u && length <= RADIO_MAX_BYTES && send_to_hub(head, sizeof head) && send_to_hub(packet, length) &&
           wait_for('D', radio_air_time_micros(&current, length) / 1000u + ANSWER_MS);
}

bool radio_listen(void) {
    listening = send_to_hub((const uint8_t *)"L", 1u);
    return listening;
}

bool radio_listening(void) {
    return listening;
}

/* The hub has no other state than that of the connection. */
bool radio_receives(void) {
    return listening;
}

static int16_t get_i16(const uint8_t *bytes) {
    return (int16_t)(uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Take the first packet from the received messages; skip others. */
static size_t take_packet(uint8_t packet[RADIO_MAX_BYTES], struct radio_reception *reception) {
    for (size_t size = message_size(); size > 0u; size = message_size()) {
        const size_t length = received[0] == 'R' ? size - 1u - RECEIVED_HEAD : 0u;
        if (length > 0u) {
            reception->crc_ok = received[1] != 0u;
            reception->rssi_quarter_dbm = get_i16(received + 2);
            reception->snr_quarter_db = get_i16(received + 4);
            memcpy(packet, received + 1u + RECEIVED_HEAD, length);
        }
        discard(size);
        if (length > 0u) {
            return length;
        }
    }
    return 0u;
}

size_t radio_receive(uint8_t packet[RADIO_MAX_BYTES], struct radio_reception *reception) {
    size_t length = take_packet(packet, reception);
    if (length == 0u && listening && receive()) {
        length = take_packet(packet, reception);
    }
    return length;
}

void radio_sleep(void) {
    listening = false;
    send_to_hub((const uint8_t *)"Z", 1u);
}

#else

bool radio_hub_set_address(const char *address) {
    fprintf(stderr, "inkling: this build has no radio for --radio %s\n", address);
    return false;
}

int radio_hub_descriptor(void) {
    return -1;
}

#endif
