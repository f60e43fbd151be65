/* Log lines as data, and the port they leave through. One format helper (src/host/log.c) makes logfmt or JSON of them;
 * the simulator keeps the last ones for its traces. A secret is never a field. */
#ifndef MAH_BASE_LOG_H
#define MAH_BASE_LOG_H

#include <stddef.h>

/* level <-> name; --v: 0 and 1 show info and worse, 2 decisions' reasons (still info), 4 and up debug */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
	const char *key;
	const char *value; /* NULL: the field is left out */
};

struct log_port {
	void *ctx;
	void (*write)(void *ctx, enum log_level, const char *component, const char *message, const struct log_field *,
		      size_t count);
};

void log_write(const struct log_port *, enum log_level, const char *component, const char *message,
	       const struct log_field *, size_t count);

/* LOG(port, LOG_INFO, "op", "step done", { "node", name }, { "step", step }) */
#define LOG(port, level, component, message, ...)                                                                      \
	log_write((port), (level), (component), (message), (const struct log_field[]){ __VA_ARGS__ },                  \
		  sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))

#endif
