#include "base/jsonx.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Counts brackets outside of strings, before the parser recurses into them. */
static bool is_too_deep(struct str text)
{
	int depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return true;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return false;
}

json_t *json_parse(struct str text, struct err *err)
{
	if (is_too_deep(text)) {
		fail(err, ERR_LIMIT, "JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
		return NULL;
	}
	json_error_t why;
	json_t *json = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (json == NULL)
		fail(err, ERR_REMOTE, "not JSON at %d:%d: %s", why.line, why.column, why.text);
	return json;
}

json_t *json_at(const json_t *json, const char *path)
{
	char key[128];
	while (json != NULL && *path != '\0') {
		size_t n = strcspn(path, ".");
		if (n >= sizeof key)
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		if (json_is_array(json))
			json = isdigit((unsigned char)key[0]) ? json_array_get(json, strtoul(key, NULL, 10)) : NULL;
		else
			json = json_object_get(json, key);
		path += n + (path[n] == '.');
	}
	return (json_t *)json;
}

const char *json_text(const json_t *json, const char *path)
{
	return json_string_value(json_at(json, path));
}

const char *json_text_or(const json_t *json, const char *path, const char *otherwise)
{
	const char *text = json_text(json, path);
	return text != NULL ? text : otherwise;
}

int64_t json_int(const json_t *json, const char *path, int64_t otherwise)
{
	const json_t *at = json_at(json, path);
	return json_is_integer(at) ? json_integer_value(at) : otherwise;
}

bool json_bool(const json_t *json, const char *path, bool otherwise)
{
	const json_t *at = json_at(json, path);
	return json_is_boolean(at) ? json_is_true(at) : otherwise;
}

size_t json_count(const json_t *json, const char *path)
{
	return json_array_size(json_at(json, path));
}

/* Length of the valid UTF-8 sequence at p, 0 when there is none. */
static size_t utf8_length(const unsigned char *p)
{
	if (p[0] < 0x80)
		return 1;
	size_t n = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
		   : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
		   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						 : 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if (n == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)))
		return 0; /* overlong, surrogate */
	if (n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)))
		return 0;
	return n;
}

bool buf_json(struct buf *buf, const char *text)
{
	bool ok = buf_char(buf, '"');
	const unsigned char *p = (const unsigned char *)(text != NULL ? text : "");
	while (*p != '\0') {
		size_t n = utf8_length(p);
		if (n == 0)
			ok = buf_text(buf, "\xef\xbf\xbd") && ok;
		else if (*p == '"' || *p == '\\')
			ok = buf_char(buf, '\\') && buf_char(buf, (char)*p) && ok;
		else if (*p < 0x20)
			ok = buf_printf(buf, "\\u%04x", *p) && ok;
		else
			ok = buf_add(buf, p, n) && ok;
		p += n > 0 ? n : 1;
	}
	return buf_char(buf, '"') && ok;
}

static int append(const char *bytes, size_t n, void *buf)
{
	return buf_add(buf, bytes, n) ? 0 : -1;
}

bool buf_json_doc(struct buf *buf, const json_t *json)
{
	return json_dump_callback(json, append, buf, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}
