/* The log with another clock, for its tests: the suppression of repeats cannot be shown without time passing. */
#ifndef MAH_HOST_LOGLINE_H
#define MAH_HOST_LOGLINE_H

#include "host/host.h"

struct log_port *log_port_new_clocked(int fd, bool is_json, enum log_level most, struct now (*clock)(void));

#endif
