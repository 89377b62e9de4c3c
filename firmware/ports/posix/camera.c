/* Simulated camera: each image is the next file of a folder, whose contents may change meanwhile. */
#define _XOPEN_SOURCE 700
#include "camera.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recording.h"

#if INKLING_CAMERA

#define MAX_IMAGE_BYTES (2560u * 1920u * 3u) /* OV5640, the largest sensor in common use */
#define HEADER_BYTES 512u
#define NAME_BYTES 256u

static const char *folder;
static char current[NAME_BYTES]; /* file of the last image; "" before the first */
static uint8_t data[HEADER_BYTES + MAX_IMAGE_BYTES];

bool recording_set_folder(const char *path) {
    folder = path;
    return true;
}

static bool ends_in(const char *name, const char *ending) {
    const size_t size = strlen(name);
    return size >= strlen(ending) && strcmp(name + size - strlen(ending), ending) == 0;
}

static bool is_image(const char *name) {
    return ends_in(name, ".ppm") || ends_in(name, ".pgm") || ends_in(name, ".rgb565");
}

/* Find the first image by name after `after`; "" if there is none. */
static void first_after(const char *after, char found[NAME_BYTES]) {
    DIR *names = opendir(folder);
    found[0] = '\0';
    if (names == NULL) {
        return;
    }
    // cppcheck-suppress readdirCalled - there is only one thread
    for (const struct dirent *entry = readdir(names); entry != NULL; entry = readdir(names)) {
        const char *name = entry->d_name;
        if (is_image(name) && strlen(name) < NAME_BYTES && strcmp(name, after) > 0 &&
            (found[0] == '\0' || strcmp(name, found) < 0)) {
            strcpy(found, name);
        }
    }
    closedir(names);
}

/* Select the next file, after the last the first again. Returns false if there is none. */
static bool select_next(void) {
    char next[NAME_BYTES];
    first_after(current, next);
    if (next[0] == '\0') {
        first_after("", next);
    }
    strcpy(current, next);
    return next[0] != '\0';
}

/* Read the current file into `data`. Returns its size; 0 if it cannot be read or is too large. */
static size_t read_file(void) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", folder, current) >= (int)sizeof path) {
        return 0;
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return 0;
    }
    const size_t size = fread(data, 1, sizeof data, file);
    const bool whole = feof(file) && !ferror(file);
    fclose(file);
    return whole ? size : 0;
}

static bool is_space(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Parse the next number of a Netpbm header, after white space and comments; 0 if there is none. */
static unsigned header_number(size_t size, size_t *next) {
    unsigned number = 0;
    bool comment = false;
    while (*next < size && (comment || data[*next] == '#' || is_space(data[*next]))) {
        comment = (comment || data[*next] == '#') && data[*next] != '\n';
        ++*next;
    }
    while (*next < size && data[*next] >= '0' && data[*next] <= '9' && number <= UINT16_MAX) {
        number = 10u * number + data[*next] - '0';
        ++*next;
    }
    return number;
}

/* Parse a Netpbm header. Returns the offset of the pixels; 0 for an unsupported format. */
static size_t read_netpbm(size_t size, unsigned *width, unsigned *height, enum camera_format *format) {
    size_t next = 2;
    if (size < next || data[0] != 'P' || (data[1] != '5' && data[1] != '6')) {
        return 0;
    }
    *format = data[1] == '5' ? CAMERA_GREY : CAMERA_RGB888;
    *width = header_number(size, &next);
    *height = header_number(size, &next);
    return header_number(size, &next) == 255u ? next + 1u : 0; /* one white space ends the header */
}

/* Parse width and height from "...WIDTHxHEIGHT.rgb565"; 0 and 0 if they are missing. */
static void read_name(unsigned *width, unsigned *height) {
    const char *start = strrchr(current, '.');
    while (start > current && strchr("0123456789x", start[-1]) != NULL) {
        start--;
    }
    if (sscanf(start, "%5ux%5u", width, height) != 2) {
        *width = *height = 0;
    }
}

bool camera_start(void) {
    return folder != NULL;
}

bool camera_take(struct camera_image *image) {
    if (!select_next()) {
        return false;
    }
    const size_t size = read_file();
    unsigned width = 0;
    unsigned height = 0;
    enum camera_format format = CAMERA_RGB565;
    const bool raw = ends_in(current, ".rgb565");
    size_t first = 0;
    if (raw) {
        read_name(&width, &height);
    } else {
        first = read_netpbm(size, &width, &height, &format);
    }
    const size_t per_pixel = format == CAMERA_RGB565 ? 2u : format == CAMERA_RGB888 ? 3u : 1u;
    if (width == 0 || height == 0 || width > UINT16_MAX || height > UINT16_MAX || (!raw && first == 0) ||
        size != first + (size_t)width * height * per_pixel) {
        return false;
    }
    *image = (struct camera_image){data + first, (uint16_t)width, (uint16_t)height, format};
    return true;
}

void camera_release(void) {}

void camera_stop(void) {}

#else

bool recording_set_folder(const char *path) {
    (void)path;
    fprintf(stderr, "inkling: this build has no camera: build native_camera\n");
    return false;
}

#endif
