/* The Arduino core's access to the backup registers, as a system header (see core.h). */
#ifndef INKLING_ARDUINO_BACKUP_REGISTERS_H
#define INKLING_ARDUINO_BACKUP_REGISTERS_H

#pragma GCC system_header

#include <backup.h>

#endif
