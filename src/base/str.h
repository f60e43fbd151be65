/* Borrowed strings, bounded buffers, and copies into fixed arrays. */
#ifndef MAH_BASE_STR_H
#define MAH_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Borrowed bytes: never stored past the buffer they look into. Not NUL-terminated. */
struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
struct str str_of(const char *text); /* NULL gives the empty string */
bool str_eq(struct str a, const char *text);
bool str_same(struct str a, struct str b);
bool text_eq(const char *a, const char *b); /* NULL equals only NULL */
bool text_starts(const char *text, const char *prefix);

/* Copies into a fixed array, always terminated. False (and "" in the array) when it does not fit: a cut identifier is
 * another identifier. */
bool str_copy(char *out, size_t out_bytes, struct str from);
bool text_copy(char *out, size_t out_bytes, const char *from); /* NULL counts as "" */
#define TEXT_COPY(array, from) text_copy((array), sizeof(array), (from))

/* A growing buffer that cannot be made without saying how large it may ever get. */
struct buf {
	char *p; /* NUL-terminated whenever n > 0; may be NULL while empty */
	size_t n;
	size_t cap;
	size_t bytes_max;
	bool is_over; /* something did not fit: the content is a prefix */
};
void buf_init(struct buf *, size_t bytes_max);
void buf_done(struct buf *);
void buf_clear(struct buf *);                            /* keeps the memory */
bool buf_add(struct buf *, const void *bytes, size_t n); /* false and is_over when it does not fit */
bool buf_text(struct buf *, const char *text);
bool buf_char(struct buf *, char c);
bool buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str buf_str(const struct buf *);
const char *buf_cstr(const struct buf *); /* "" while empty */

/* Percent-encodes all but unreserved characters (RFC 3986), for a query value or one path segment. */
bool buf_urlencode(struct buf *, const char *text);

#endif
