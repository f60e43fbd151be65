#include "base/log.h"

void log_write(const struct log_port *port, enum log_level level, const char *component, const char *message,
	       const struct log_field *fields, size_t count)
{
	if (port != NULL && port->write != NULL)
		port->write(port->ctx, level, component, message, fields, count);
}
