/* Log lines to a descriptor, as logfmt or as one JSON object a line.
 *
 * A line is always valid UTF-8 and at most LINE_BYTES_MAX long: a text that is too long is cut at a character and ends
 * in
 * "...", fields that no longer fit are left out and "cut=true" says so. It leaves in one write(2), so that lines of
 * several processes on one pipe do not mix. */
#include "host/logline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonx.h"
#include "base/mem.h"

#define LINE_BYTES_MAX 8192
#define TEXT_BYTES_MAX 1024 /* of one value; escaping makes it six times as long at worst, so one always fits */
#define TAIL_BYTES 64       /* kept free for cut, repeated, the closing brace and the line's end */
#define REPEAT_WINDOW_MS (10 * SEC)

struct log {
	struct log_port port;
	int fd;
	bool is_json;
	enum log_level most;
	struct now (*clock)(void);
	struct buf last;       /* everything of the last line but its time */
	int64_t last_ms;       /* mono; when it was written */
	unsigned long repeats; /* times it came again since */
};

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_ERROR:
		return "error";
	case LOG_WARN:
		return "warn";
	case LOG_INFO:
		return "info";
	case LOG_DEBUG:
		return "debug";
	}
	return "?";
}

static bool is_bare(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~' || *text == '"' || *text == '=' || *text == '\\')
			return false;
	}
	return true;
}

/* Copies what fits of TEXT, cut before a character rather than inside of it. */
static const char *shorten(char out[TEXT_BYTES_MAX + 4], const char *text)
{
	size_t n = strnlen(text, TEXT_BYTES_MAX + 1);
	if (n <= TEXT_BYTES_MAX)
		return text;
	n = TEXT_BYTES_MAX;
	for (int back = 0; back < 3 && ((unsigned char)text[n] & 0xc0) == 0x80; back++)
		n--;
	memcpy(out, text, n);
	memcpy(out + n, "...", 4);
	return out;
}

static bool is_reserved(const char *key)
{
	static const char *const names[] = { "time", "level", "component", "msg", "cut", "repeated" };
	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(key, names[i]) == 0)
			return true;
	}
	return false;
}

static void put_key(struct buf *out, const char *key)
{
	for (const char *c = key; *c != '\0'; c++) {
		bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
				strchr("_-./", *c) != NULL;
		(void)buf_char(out, is_plain ? *c : '_');
	}
}

/* One key and value, in front of which a separator stands. False, with nothing added, when it does not fit. */
static bool put_pair(const struct log *log, struct buf *line, const char *key, const char *suffix, const char *value)
{
	char copy[TEXT_BYTES_MAX + 4];
	size_t before = line->n;
	(void)buf_text(line, log->is_json ? ",\"" : " ");
	put_key(line, key);
	(void)buf_text(line, suffix);
	(void)buf_text(line, log->is_json ? "\":" : "=");
	value = shorten(copy, value);
	if (!log->is_json && is_bare(value))
		(void)buf_text(line, value);
	else
		(void)buf_json(line, value);
	if (!line->is_over && line->n + TAIL_BYTES <= LINE_BYTES_MAX - WALL_TEXT_BYTES)
		return true;
	line->n = before;
	line->p[before] = '\0';
	line->is_over = false;
	return false;
}

/* The line without its time and its end. */
static void put_line(const struct log *log, struct buf *line, enum log_level level, const char *component,
		     const char *message, const struct log_field *fields, size_t count)
{
	bool fits = put_pair(log, line, "level", "", level_name(level));
	fits = put_pair(log, line, "component", "", component != NULL ? component : "") && fits;
	fits = put_pair(log, line, "msg", "", message != NULL ? message : "") && fits;
	for (size_t i = 0; i < count && fits; i++) {
		if (fields[i].value != NULL && fields[i].key != NULL)
			fits = put_pair(log, line, fields[i].key, is_reserved(fields[i].key) ? "_" : "",
					fields[i].value);
	}
	if (!fits)
		(void)buf_text(line, log->is_json ? ",\"cut\":true" : " cut=true");
}

static void send_line(const struct log *log, const struct buf *line)
{
	const char *at = line->p;
	size_t left = line->n;
	while (left > 0) {
		ssize_t n = write(log->fd, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody reads our log: there is nowhere to say so */
		at += n;
		left -= (size_t)n;
	}
}

/* Writes log->last with the time of NOW and, when it was held back before, how often. */
static void emit(struct log *log, struct now now)
{
	char time_text[WALL_TEXT_BYTES];
	struct buf line;
	buf_init(&line, LINE_BYTES_MAX);
	(void)buf_printf(&line, log->is_json ? "{\"time\":\"%s\"" : "time=%s", wall_format_micro(now.wall, time_text));
	(void)buf_add(&line, log->last.p, log->last.n);
	if (log->repeats > 0)
		(void)buf_printf(&line, log->is_json ? ",\"repeated\":%lu" : " repeated=%lu", log->repeats);
	(void)buf_text(&line, log->is_json ? "}\n" : "\n");
	send_line(log, &line);
	buf_done(&line);
	log->repeats = 0;
	log->last_ms = now.mono.ms;
}

static void log_line(void *ctx, enum log_level level, const char *component, const char *message,
		     const struct log_field *fields, size_t count)
{
	struct log *log = ctx;
	if (level > log->most)
		return;
	struct now now = log->clock();
	struct buf line;
	buf_init(&line, LINE_BYTES_MAX);
	put_line(log, &line, level, component, message, fields, count);
	if (str_same(buf_str(&line), buf_str(&log->last))) {
		log->repeats++;
		if (now.mono.ms - log->last_ms >= REPEAT_WINDOW_MS)
			emit(log, now);
		buf_done(&line);
		return;
	}
	if (log->repeats > 0)
		emit(log, now);
	buf_done(&log->last);
	log->last = line;
	emit(log, now);
}

struct log_port *log_port_new(int fd, bool is_json, enum log_level most)
{
	return log_port_new_clocked(fd, is_json, most, clock_now);
}

struct log_port *log_port_new_clocked(int fd, bool is_json, enum log_level most, struct now (*clock)(void))
{
	struct log *log = xcalloc(1, sizeof *log);
	log->port = (struct log_port){ .ctx = log, .write = log_line };
	log->fd = fd;
	log->is_json = is_json;
	log->most = most;
	log->clock = clock;
	buf_init(&log->last, LINE_BYTES_MAX);
	return &log->port;
}

void log_port_free(struct log_port *port)
{
	if (port == NULL)
		return;
	struct log *log = CONTAINER_OF(port, struct log, port);
	if (log->repeats > 0)
		emit(log, log->clock());
	buf_done(&log->last);
	free(log);
}
