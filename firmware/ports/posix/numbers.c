#define _XOPEN_SOURCE 700
#include "numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "board.h"

#define PATH_BYTES 1024u
#define LINE_BYTES 80u

static const char *file; /* NULL: none */
static char fresh[PATH_BYTES];
static char path_copy[PATH_BYTES];
static const char *folder;

static bool print_failure(const char *path, const char *what) {
    fprintf(stderr, "inkling: --counter %s: %s\n", path, what);
    return false;
}

/* Locks end with the process, however it ends. */
static bool lock(const char *path) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char name[PATH_BYTES];
    snprintf(name, sizeof name, "%s.lock", path);
    const int descriptor = open(name, O_RDWR | O_CREAT, 0600);
    if (descriptor < 0) {
        return print_failure(path, strerror(errno));
    }
    if (fcntl(descriptor, F_SETLK, &whole) != 0) {
        close(descriptor);
        return print_failure(path, "another process uses it");
    }
    // cppcheck-suppress resourceLeak - closing the file would end the lock
    return true;
}

static int print_line(char line[LINE_BYTES], const struct board_numbers *numbers) {
    int size = snprintf(line, LINE_BYTES, "%u %u", (unsigned)numbers->limit, (unsigned)numbers->boots);
    for (size_t i = 0; numbers->key_state == BOARD_KEY && i < BOARD_KEY_BYTES; i++) {
        size += snprintf(line + size, LINE_BYTES - (size_t)size, "%s%02x", i == 0 ? " " : "", numbers->key[i]);
    }
    return size + snprintf(line + size, LINE_BYTES - (size_t)size, "\n");
}

/* Read the key's digits, if there are any. */
static void parse_key(const char *digits, struct board_numbers *numbers) {
    unsigned byte;
    for (size_t i = 0; i < BOARD_KEY_BYTES && sscanf(digits + 2u * i, "%2x", &byte) == 1; i++) {
        numbers->key[i] = (uint8_t)byte;
        numbers->key_state = BOARD_KEY;
    }
}

/* Returns false, with errno, if the file cannot be read; errno is 0 if it has another content. */
static bool read_file(const char *path, struct board_numbers *numbers) {
    char line[LINE_BYTES] = "";
    char digits[2u * BOARD_KEY_BYTES + 1u] = "";
    unsigned limit = 0;
    unsigned boots = 0;
    *numbers = (struct board_numbers){0};
    const int descriptor = open(path, O_RDONLY);
    if (descriptor < 0) {
        return errno == ENOENT;
    }
    const ssize_t got = read(descriptor, line, sizeof line - 1u);
    const int failure = got < 0 ? errno : 0;
    close(descriptor);
    sscanf(line, "%u %u %32s", &limit, &boots, digits);
    *numbers = (struct board_numbers){.limit = limit, .boots = boots};
    parse_key(digits, numbers);
    char expected[LINE_BYTES];
    const int size = print_line(expected, numbers);
    errno = failure;
    return got == size && memcmp(line, expected, (size_t)size) == 0;
}

bool numbers_set_file(const char *path) {
    struct board_numbers numbers;
    if (strlen(path) + sizeof ".lock" > PATH_BYTES) {
        return print_failure(path, "the path is too long");
    }
    if (!lock(path)) {
        return false;
    }
    if (!read_file(path, &numbers)) {
        return print_failure(path, errno != 0 ? strerror(errno) : "not a counter file; delete it to begin at 0");
    }
    snprintf(fresh, sizeof fresh, "%s.new", path);
    strcpy(path_copy, path);
    folder = dirname(path_copy); /* changes its argument */
    file = path;
    return true;
}

bool board_numbers_read(struct board_numbers *numbers) {
    return file != NULL && read_file(file, numbers);
}

/* Write a file or a folder to the disk, and close it. */
static bool flush(int descriptor) {
    const bool flushed = descriptor >= 0 && fsync(descriptor) == 0;
    if (descriptor >= 0) {
        close(descriptor);
    }
    return flushed;
}

static bool write_fresh(const struct board_numbers *numbers) {
    char line[LINE_BYTES];
    const int size = print_line(line, numbers);
    const int descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const bool written = descriptor >= 0 && write(descriptor, line, (size_t)size) == size;
    return flush(descriptor) && written;
}

/* The new file replaces the old one at once, and only when it is on the disk. */
bool board_numbers_write(const struct board_numbers *numbers) {
    if (file == NULL) {
        return false;
    }
    if (!write_fresh(numbers) || rename(fresh, file) != 0 || !flush(open(folder, O_RDONLY))) {
        return print_failure(file, strerror(errno));
    }
    return true;
}
