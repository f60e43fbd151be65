/* Reading JSON that strangers wrote: access by path, with types checked, nothing owned. On top of jansson. */
#ifndef MAH_BASE_JSONX_H
#define MAH_BASE_JSONX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 64 /* deeper documents are refused (jansson's own limit is 2048) */

/* Parses a whole document; NULL with a message that has line and column. The caller owns the result. */
json_t *json_parse(struct str text, struct err *err);

/* "a.b.0.c": object keys and array indexes. A key that has dots itself: use json_object_get. NULL when any part is
 * missing or of the wrong type. Borrowed. */
json_t *json_at(const json_t *, const char *path);
const char *json_text(const json_t *, const char *path); /* NULL unless a string */
const char *json_text_or(const json_t *, const char *path, const char *otherwise);
int64_t json_int(const json_t *, const char *path, int64_t otherwise); /* integers only */
bool json_bool(const json_t *, const char *path, bool otherwise);
size_t json_count(const json_t *, const char *path); /* of an array; 0 otherwise */

/* Appends "text" as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
bool buf_json(struct buf *, const char *text);
/* Appends the document, compact, in insertion order. */
bool buf_json_doc(struct buf *, const json_t *);

#endif
