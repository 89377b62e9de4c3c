/* The process's radio: a TCP connection to a hub that stands for the air. channel_sim/live/radio_hub.py has the
 * messages. */
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
#include <unistd.h>

#include "air_time.h"
#include "line.h"
#include "radio.h"
#include "wire/bytes.h"

#define ANSWER_MS 5000 /* a busy machine's hub takes its time */
#define HELLO_BYTES 16u
#define RECEIVED_HEAD 6u /* flags, RSSI, SNR, length */

static char host[256];
static char port[6];
static int hub = -1;
static bool listening;
static struct radio_settings current;

/* What came from the hub and is not taken yet: at most one whole message and the start of others. */
static uint8_t heard[1024];
static size_t heard_count;

bool radio_hub_set_address(const char *where) {
    const char *name = strncmp(where, "tcp:", 4) == 0 ? where + 4 : "";
    const char *colon = strrchr(name, ':');
    const size_t name_bytes = colon == NULL ? 0u : (size_t)(colon - name);
    if (name_bytes == 0u || name_bytes >= sizeof host || colon[1] == '\0' || strlen(colon + 1) >= sizeof port) {
        fprintf(stderr, "inkling: --radio is tcp:HOST:PORT, not %s\n", where);
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

static void hang_up(void) {
    if (hub >= 0) {
        close(hub);
    }
    hub = -1;
    listening = false;
    heard_count = 0;
}

static bool complain(const char *what) {
    fprintf(stderr, "inkling: radio at %s:%s: %s\n", host, port, what);
    hang_up();
    return false;
}

static bool call_hub(void) {
    struct addrinfo *found = NULL;
    const struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    const int problem = host[0] == '\0' ? EAI_NONAME : getaddrinfo(host, port, &wanted, &found);
    if (problem != 0) {
        return complain(host[0] == '\0' ? "none; give --radio tcp:HOST:PORT" : gai_strerror(problem));
    }
    hub = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    const bool connected = hub >= 0 && connect(hub, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    const int on = 1;
    if (!connected || setsockopt(hub, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        return complain(strerror(errno));
    }
    return true;
}

static bool say(const uint8_t *bytes, size_t count) {
    while (hub >= 0 && count > 0u) {
        const ssize_t sent = write(hub, bytes, count);
        if (sent <= 0 && errno != EINTR) {
            return complain(strerror(errno));
        }
        bytes += sent > 0 ? sent : 0;
        count -= sent > 0 ? (size_t)sent : 0u;
    }
    return hub >= 0;
}

/* Takes in what has come. False when the hub has gone. */
static bool hear(void) {
    const ssize_t got = recv(hub, heard + heard_count, sizeof heard - heard_count, MSG_DONTWAIT);
    if (got == 0) {
        return complain("the hub has gone");
    }
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || complain(strerror(errno));
    }
    heard_count += (size_t)got;
    return true;
}

/* Bytes of the message that heard[] starts with; 0 while it is not all there. */
static size_t message(void) {
    size_t size = 1;
    if (heard_count > 1u && heard[0] == 'N') {
        size = 2u + heard[1];
    } else if (heard_count > RECEIVED_HEAD && heard[0] == 'R') {
        size = 1u + RECEIVED_HEAD + heard[RECEIVED_HEAD];
    } else if (heard_count == 0u || heard[0] == 'N' || heard[0] == 'R') {
        return 0u;
    }
    return heard_count >= size ? size : 0u;
}

static void forget(size_t count) {
    heard_count -= count;
    memmove(heard, heard + count, heard_count);
}

/* Waits for a message of this kind, and takes it; false when the hub says no, is silent, or the process is to end.
 * Packets that come meanwhile are missed, as by a radio that does something else. */
static bool await(uint8_t kind, uint32_t milliseconds) {
    struct pollfd ready = {.fd = hub, .events = POLLIN, .revents = 0};
    for (;;) {
        for (size_t size = message(); size > 0u; size = message()) {
            const uint8_t got = heard[0];
            if (got == 'N') {
                fprintf(stderr, "inkling: radio: %.*s\n", (int)(size - 2u), (const char *)heard + 2);
            }
            forget(size);
            if (got == kind || got == 'N') {
                return got == kind;
            }
        }
        const int events = poll(&ready, 1, (int)milliseconds);
        if (events == 0) {
            return complain("no answer");
        }
        if (events < 0 || !hear()) { /* a signal: the process is to end */
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
    return (hub >= 0 || call_hub()) && say(hello, sizeof hello) && await('Y', ANSWER_MS);
}

bool radio_send(const uint8_t *packet, size_t length) {
    const uint8_t head[] = {'S', (uint8_t)length};
    listening = false;
    return length >= 1u && length <= RADIO_MAX_BYTES && say(head, sizeof head) && say(packet, length) &&
           await('D', radio_air_time_micros(&current, length) / 1000u + ANSWER_MS);
}

bool radio_listen(void) {
    listening = say((const uint8_t *)"L", 1u);
    return listening;
}

bool radio_listening(void) {
    return listening;
}

static int16_t get_i16(const uint8_t *bytes) {
    return (int16_t)(uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* The first packet among the messages that are there; what else they are is passed over. */
static size_t take_packet(uint8_t packet[RADIO_MAX_BYTES], struct radio_reception *reception) {
    for (size_t size = message(); size > 0u; size = message()) {
        const size_t length = heard[0] == 'R' ? size - 1u - RECEIVED_HEAD : 0u;
        if (length > 0u) {
            reception->crc_ok = heard[1] != 0u;
            reception->rssi_quarter_dbm = get_i16(heard + 2);
            reception->snr_quarter_db = get_i16(heard + 4);
            memcpy(packet, heard + 1u + RECEIVED_HEAD, length);
        }
        forget(size);
        if (length > 0u) {
            return length;
        }
    }
    return 0u;
}

size_t radio_receive(uint8_t packet[RADIO_MAX_BYTES], struct radio_reception *reception) {
    size_t length = take_packet(packet, reception);
    if (length == 0u && listening && hear()) {
        length = take_packet(packet, reception);
    }
    return length;
}

void radio_sleep(void) {
    listening = false;
    say((const uint8_t *)"Z", 1u);
}

#else

bool radio_hub_set_address(const char *where) {
    fprintf(stderr, "inkling: this build has no radio for --radio %s\n", where);
    return false;
}

int radio_hub_descriptor(void) {
    return -1;
}

#endif
