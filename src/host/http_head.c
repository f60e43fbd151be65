#include "host/http_head.h"

#include <ctype.h>
#include <string.h>

#include "base/http.h"

void http_head_init(struct http_head *head)
{
	*head = (struct http_head){ 0 };
	/* Our form may be a little longer than what came ("a:b" becomes "a: b"), never twice as long. */
	buf_init(&head->lines, (size_t)HTTP_HEADERS_BYTES_MAX * 2);
}

void http_head_done(struct http_head *head)
{
	buf_done(&head->lines);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct str trim(struct str text)
{
	while (text.n > 0 && is_space(text.p[0])) {
		text.p++;
		text.n--;
	}
	while (text.n > 0 && is_space(text.p[text.n - 1]))
		text.n--;
	return text;
}

/* "HTTP/1.1 200 OK" to 200; 0 when it is not such a line. */
static int status_of(struct str line)
{
	const char *space = memchr(line.p, ' ', line.n);
	if (space == NULL || line.p + line.n - space < 4)
		return 0;
	int status = 0;
	for (int i = 1; i <= 3; i++) {
		if (!isdigit((unsigned char)space[i]))
			return 0;
		status = status * 10 + (space[i] - '0');
	}
	return status;
}

/* Control characters would break the form of our lines, so they become '?'. */
static void put_value(struct buf *out, struct str value)
{
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		(void)buf_char(out, (c < 0x20 && c != '\t') || c == 0x7f ? '?' : (char)c);
	}
	(void)buf_char(out, '\n');
}

static void put_line(struct buf *lines, struct str line)
{
	struct str value = trim(line);
	if (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) {
		/* A folded line (obsolete, RFC 9112 section 5.2) goes on with the value before it. */
		if (lines->n == 0)
			return;
		lines->p[lines->n - 1] = ' ';
		put_value(lines, value);
		return;
	}
	const char *colon = memchr(line.p, ':', line.n);
	struct str name = { line.p, colon != NULL ? (size_t)(colon - line.p) : 0 };
	name = trim(name);
	for (size_t i = 0; i < name.n; i++) {
		if (!isgraph((unsigned char)name.p[i]))
			return;
	}
	if (name.n == 0)
		return;
	for (size_t i = 0; i < name.n; i++)
		(void)buf_char(lines, (char)tolower((unsigned char)name.p[i]));
	(void)buf_text(lines, ": ");
	put_value(lines, trim((struct str){ colon + 1, (size_t)(line.p + line.n - colon - 1) }));
}

bool http_head_line(struct http_head *head, struct str line)
{
	if (line.n > HTTP_HEADERS_BYTES_MAX - head->bytes)
		return false;
	head->bytes += line.n;
	if (head->is_complete)
		return true;
	if (!head->is_in_block) {
		buf_clear(&head->lines);
		head->status = status_of(line);
		head->is_in_block = true;
	} else if (trim(line).n == 0) {
		head->is_in_block = false;
		head->is_complete = head->status >= 200 || head->status == 101;
	} else {
		put_line(&head->lines, line);
	}
	return true;
}
