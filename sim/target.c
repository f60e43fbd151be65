#include "sim/target.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static int hex(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* In place. False: a broken escape, or a NUL. */
static bool decode(char *text, bool plus_is_space)
{
	char *to = text;
	for (const char *at = text; *at != '\0'; at++) {
		char c = *at;
		if (c == '%') {
			if (hex(at[1]) < 0 || hex(at[2]) < 0)
				return false;
			c = (char)(hex(at[1]) * 16 + hex(at[2]));
			at += 2;
			if (c == '\0')
				return false;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		*to++ = c;
	}
	*to = '\0';
	return true;
}

static bool cut_path(struct target *target)
{
	char *at = target->path;
	while (*at == '/') {
		*at++ = '\0';
		if (*at == '\0')
			break;
		if (target->parts_count == COUNT(target->parts))
			return false;
		target->parts[target->parts_count++] = at;
		at += strcspn(at, "/");
	}
	for (size_t i = 0; i < target->parts_count; i++) {
		if (!decode((char *)target->parts[i], false))
			return false;
	}
	return true;
}

static bool cut_query(struct target *target)
{
	char *rest = target->query;
	while (rest != NULL && *rest != '\0') {
		char *pair = strsep(&rest, "&");
		char *value = strchr(pair, '=');
		if (value != NULL)
			*value++ = '\0';
		if (*pair == '\0')
			continue;
		if (target->params_count == COUNT(target->params) || !decode(pair, true) ||
		    (value != NULL && !decode(value, true)))
			return false;
		target->params[target->params_count].key = pair;
		target->params[target->params_count++].value = value != NULL ? value : "";
	}
	return true;
}

bool target_parse(struct target *target, const char *text)
{
	target->parts_count = 0;
	target->params_count = 0;
	size_t path_n = strcspn(text, "?");
	const char *query = text[path_n] == '?' ? text + path_n + 1 : "";
	return str_copy(target->path, sizeof target->path, (struct str){ text, path_n }) &&
	       TEXT_COPY(target->query, query) && cut_path(target) && cut_query(target);
}

const char *target_param(const struct target *target, const char *key)
{
	for (size_t i = 0; i < target->params_count; i++) {
		if (strcmp(target->params[i].key, key) == 0)
			return target->params[i].value;
	}
	return NULL;
}
