#define _XOPEN_SOURCE 700
#include "serial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "board.h"
#include "radio_hub.h"

#define WAIT_MS 100
#define WRITE_MS 1000

static int listener = -1; /* TCP only; serves one peer at a time */
static int input = -1;    /* -1: no peer */
static int output = -1;
static bool ended;
static volatile sig_atomic_t stopped;
static bool stalled; /* the peer has stopped reading: do not wait for it until it reads again */

static uint8_t buffer[4096];
static size_t buffer_next;
static size_t buffer_end;

static bool print_failure(const char *what) {
    fprintf(stderr, "inkling: %s: %s\n", what, strerror(errno));
    return false;
}

static bool set_nonblocking(int descriptor) {
    const int flags = fcntl(descriptor, F_GETFL);
    return flags >= 0 && fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* Turn off line discipline: every byte passes unchanged. */
static bool set_raw(int terminal) {
    struct termios line;
    if (tcgetattr(terminal, &line) != 0) {
        return false;
    }
    line.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    line.c_oflag &= ~(tcflag_t)OPOST;
    line.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    line.c_cflag = (line.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    return tcsetattr(terminal, TCSANOW, &line) == 0;
}

static bool open_pty(void) {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        return print_failure("no pseudo-terminal");
    }
    /* The other end stays open here too: otherwise reads fail while no host has it open. */
    const char *name = ptsname(master);
    const int other_end = name == NULL ? -1 : open(name, O_RDWR | O_NOCTTY);
    if (other_end < 0 || !set_raw(other_end) || !set_nonblocking(master)) {
        return print_failure("no pseudo-terminal");
    }
    input = output = master;
    printf("port %s\n", name);
    return true;
}

static bool open_tcp(const char *port_text) {
    char *end;
    const long port = strtol(port_text, &end, 10);
    if (end == port_text || *end != '\0' || port < 0 || port > 65535) {
        fprintf(stderr, "inkling: not a TCP port: %s\n", port_text);
        return false;
    }
    const int on = 1;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 || !set_nonblocking(listener)) {
        return print_failure("cannot listen");
    }
    printf("port socket://localhost:%u\n", (unsigned)ntohs(address.sin_port));
    return true;
}

bool serial_open(const char *port) {
    bool opened = true;
    if (strcmp(port, "pty") == 0) {
        opened = open_pty();
    } else if (strncmp(port, "tcp:", 4) == 0) {
        opened = open_tcp(port + 4);
    } else if (strcmp(port, "stdio") == 0) {
        input = STDIN_FILENO;
        output = STDOUT_FILENO;
        opened = set_nonblocking(input) || print_failure("standard input");
    } else {
        fprintf(stderr, "inkling: --port is pty, tcp:PORT or stdio, not %s\n", port);
        opened = false;
    }
    fflush(stdout);
    return opened;
}

void serial_stop(void) {
    stopped = 1;
}

bool serial_ended(void) {
    return stopped || (ended && buffer_next == buffer_end);
}

/* The peer has disconnected: a TCP port accepts the next one, standard input has ended. */
static void close_peer(void) {
    if (listener >= 0) {
        close(input);
        input = output = -1;
    } else {
        ended = true;
    }
}

static void accept_peer(void) {
    const int peer = accept(listener, NULL, NULL);
    if (peer < 0) {
        return;
    }
    const int on = 1;
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (set_nonblocking(peer)) {
        input = output = peer;
    } else {
        close(peer);
    }
}

static bool is_temporary_error(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int board_read(void) {
    if (stopped) {
        return -1; /* the application reads until there are no more bytes */
    }
    if (buffer_next == buffer_end && input >= 0 && !ended) {
        const ssize_t got = read(input, buffer, sizeof buffer);
        buffer_next = 0u;
        buffer_end = got > 0 ? (size_t)got : 0u;
        if (got == 0 || (got < 0 && !is_temporary_error())) {
            close_peer();
        }
    }
    return buffer_next < buffer_end ? buffer[buffer_next++] : -1;
}

/* The operating system's flow control prevents losses. */
bool board_overrun(void) {
    return false;
}

void board_write(const uint8_t *bytes, size_t count) {
    while (count > 0u && output >= 0) {
        const ssize_t sent = write(output, bytes, count);
        if (sent > 0) {
            stalled = false;
            bytes += sent;
            count -= (size_t)sent;
        } else {
            struct pollfd ready = {.fd = output, .events = POLLOUT, .revents = 0};
            if (!is_temporary_error() || poll(&ready, 1, stalled ? 0 : WRITE_MS) <= 0) {
                stalled = true;
                return; /* lost, as on a wire */
            }
        }
    }
}

void board_wait(void) {
    struct pollfd ready[] = {
        {.fd = input >= 0 ? input : listener, .events = POLLIN, .revents = 0},
        {.fd = radio_hub_descriptor(), .events = POLLIN, .revents = 0},
    };
    const int timeout = buffer_next < buffer_end ? 0 : WAIT_MS;
    if (!serial_ended() && poll(ready, 2, timeout) > 0 && ready[0].revents != 0 && input < 0) {
        accept_peer();
    }
}
