#include "base/str.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct str str_of(const char *text)
{
	return text == NULL ? (struct str){ "", 0 } : (struct str){ text, strlen(text) };
}

bool str_eq(struct str a, const char *text)
{
	return str_same(a, str_of(text));
}

bool str_same(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool text_eq(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool text_starts(const char *text, const char *prefix)
{
	return text != NULL && strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_copy(char *out, size_t out_bytes, struct str from)
{
	assert(out_bytes > 0);
	bool fits = from.n < out_bytes && (from.n == 0 || memchr(from.p, '\0', from.n) == NULL);
	size_t n = fits ? from.n : 0;
	if (n > 0)
		memcpy(out, from.p, n);
	out[n] = '\0';
	return fits;
}

bool text_copy(char *out, size_t out_bytes, const char *from)
{
	return str_copy(out, out_bytes, str_of(from));
}

void buf_init(struct buf *buf, size_t bytes_max)
{
	assert(bytes_max > 0);
	*buf = (struct buf){ .bytes_max = bytes_max };
}

void buf_done(struct buf *buf)
{
	free(buf->p);
	*buf = (struct buf){ .bytes_max = buf->bytes_max };
}

void buf_clear(struct buf *buf)
{
	buf->n = 0;
	buf->is_over = false;
	if (buf->p != NULL)
		buf->p[0] = '\0';
}

static bool buf_reserve(struct buf *buf, size_t more)
{
	assert(buf->bytes_max > 0);
	if (more > buf->bytes_max - buf->n) {
		buf->is_over = true;
		return false;
	}
	if (buf->n + more + 1 > buf->cap) {
		size_t cap = buf->cap > 0 ? buf->cap : 64;
		while (cap < buf->n + more + 1)
			cap *= 2;
		buf->p = xrealloc(buf->p, cap);
		buf->cap = cap;
	}
	return true;
}

bool buf_add(struct buf *buf, const void *bytes, size_t n)
{
	if (!buf_reserve(buf, n))
		return false;
	if (n > 0)
		memcpy(buf->p + buf->n, bytes, n);
	buf->n += n;
	buf->p[buf->n] = '\0';
	return true;
}

bool buf_text(struct buf *buf, const char *text)
{
	return buf_add(buf, text, strlen(text));
}

bool buf_char(struct buf *buf, char c)
{
	return buf_add(buf, &c, 1);
}

bool buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	bool ok = n >= 0 && buf_reserve(buf, (size_t)n);
	if (ok) {
		(void)vsnprintf(buf->p + buf->n, (size_t)n + 1, fmt, again);
		buf->n += (size_t)n;
	}
	va_end(again);
	return ok;
}

struct str buf_str(const struct buf *buf)
{
	return (struct str){ buf->p != NULL ? buf->p : "", buf->n };
}

const char *buf_cstr(const struct buf *buf)
{
	return buf->p != NULL ? buf->p : "";
}

bool buf_urlencode(struct buf *buf, const char *text)
{
	bool ok = true;
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (isalnum(*c) || strchr("-._~", *c) != NULL)
			ok = buf_char(buf, (char)*c) && ok;
		else
			ok = buf_printf(buf, "%%%02X", *c) && ok;
	}
	return ok;
}
