/* Simulated board for firmware/lib/counter: its permanent memory is a log in flash memory that a test gives. */
#include "board.h"
#include "flash_log.h"

void machine_set_flash(const struct flash_pages *flash);

bool machine_woke;

static const struct flash_pages *pages;
static struct flash_log flash_log;

void machine_set_flash(const struct flash_pages *flash) {
    pages = flash;
}

bool board_woke(void) {
    return machine_woke;
}

bool board_numbers_read(struct board_numbers *numbers) {
    *numbers = flash_log_open(&flash_log, pages);
    return true;
}

bool board_numbers_write(const struct board_numbers *numbers) {
    return flash_log_write(&flash_log, numbers);
}
