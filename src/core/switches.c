#include "core/switches.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"

static const char *const names[] = { [PAUSE_CLUSTER] = "cluster", [PAUSE_GROUP] = "group", [PAUSE_NODE] = "node" };

const char *pause_what_name(enum pause_what what)
{
	return names[what];
}

/* ---- the document ------------------------------------------------------------------------------------------------ */

/* Prose may be cut, at a character; a name may not. */
static void cut_copy(char *out, size_t out_bytes, const char *from)
{
	size_t n = strlen(from);
	if (n >= out_bytes) {
		n = out_bytes - 1;
		while (n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(out, from, n);
	out[n] = '\0';
}

static bool read_time(const json_t *json, const char *key, struct wall *out, struct err *err)
{
	const json_t *value = json_object_get(json, key);
	*out = (struct wall){ 0 };
	if (value == NULL || json_is_null(value) || text_eq(json_string_value(value), ""))
		return true;
	if (json_is_string(value) && wall_parse(str_of(json_string_value(value)), out))
		return true;
	return fail(err, ERR_INPUT, "\"%s\" is not a time like 2026-11-23T06:00:00Z", key);
}

static bool read_what(const char *text, enum pause_what *out)
{
	for (size_t i = 0; text != NULL && i < COUNT(names); i++) {
		if (strcmp(names[i], text) == 0) {
			*out = (enum pause_what)i;
			return true;
		}
	}
	return false;
}

static bool read_pause(const json_t *json, struct pause *out, struct err *err)
{
	*out = (struct pause){ 0 };
	if (!json_is_object(json))
		return fail(err, ERR_INPUT, "a pause is not an object");
	if (!read_what(json_text(json, "what"), &out->what))
		return fail(err, ERR_INPUT, "\"what\" is not cluster, group or node");
	const char *name = json_text_or(json, "name", "");
	if (!TEXT_COPY(out->name, name))
		return fail(err, ERR_INPUT, "\"name\" is longer than a name can be");
	if (out->what != PAUSE_CLUSTER && out->name[0] == '\0')
		return fail(err, ERR_INPUT, "\"name\" is missing: which %s?", names[out->what]);
	cut_copy(out->reason, sizeof out->reason, json_text_or(json, "reason", ""));
	cut_copy(out->by, sizeof out->by, json_text_or(json, "by", ""));
	return read_time(json, "since", &out->since, err) && read_time(json, "until", &out->until, err);
}

static bool garbled(struct switches *out, struct err *err, const struct err *why)
{
	out->is_garbled = true;
	out->count = 0;
	cut_copy(out->trouble, sizeof out->trouble, why->text);
	return fail(err, ERR_INPUT, "%s", why->text);
}

bool switches_read(struct str text, struct switches *out, struct err *err)
{
	struct err why = { 0 };
	*out = (struct switches){ 0 };
	size_t blank = 0;
	while (blank < text.n && strchr(" \t\r\n", text.p[blank]) != NULL && text.p[blank] != '\0')
		blank++;
	if (blank == text.n)
		return true;
	CLEANUP(json_decrefp) json_t *json = json_parse(text, &why);
	if (json == NULL)
		return garbled(out, err, &why);
	if (!json_is_array(json)) {
		fail(&why, ERR_INPUT, SWITCHES_KEY " is not a list");
		return garbled(out, err, &why);
	}
	if (json_array_size(json) > PAUSES_MAX) {
		fail(&why, ERR_INPUT, SWITCHES_KEY " has more than %d pauses", PAUSES_MAX);
		return garbled(out, err, &why);
	}
	for (size_t i = 0; i < json_array_size(json); i++) {
		if (!read_pause(json_array_get(json, i), &out->list[out->count], &why)) {
			err_while(&why, "reading pause %zu of " SWITCHES_KEY, i + 1);
			return garbled(out, err, &why);
		}
		out->count++;
	}
	return true;
}

static bool is_over(const struct pause *pause, struct wall now)
{
	return pause->until.ms != 0 && now.ms >= pause->until.ms;
}

static void put_time(struct buf *out, const char *key, struct wall at)
{
	char text[WALL_TEXT_BYTES];
	if (at.ms != 0)
		(void)buf_printf(out, ",\"%s\":\"%s\"", key, wall_format(at, text));
}

void switches_write(const struct switches *switches, struct wall now, struct buf *out)
{
	bool is_first = true;
	(void)buf_char(out, '[');
	for (size_t i = 0; i < switches->count; i++) {
		const struct pause *pause = &switches->list[i];
		if (is_over(pause, now))
			continue;
		(void)buf_printf(out, "%s{\"what\":\"%s\"", is_first ? "" : ",", names[pause->what]);
		is_first = false;
		const char *const texts[][2] = { { "name", pause->name },
						 { "reason", pause->reason },
						 { "by", pause->by } };
		for (size_t k = 0; k < COUNT(texts); k++) {
			if (texts[k][1][0] == '\0')
				continue;
			(void)buf_printf(out, ",\"%s\":", texts[k][0]);
			(void)buf_json(out, texts[k][1]);
		}
		put_time(out, "since", pause->since);
		put_time(out, "until", pause->until);
		(void)buf_char(out, '}');
	}
	(void)buf_char(out, ']'); /* an overflow is seen in out->is_over */
}

/* ---- what holds ---------------------------------------------------------------------------------------------------
 */

/* "REASON; until=TIME". A time that cannot be read is part of the reason: the pause has no end then. */
static void read_annotation(const char *value, struct pause *out)
{
	static const char until[] = "until=";
	*out = (struct pause){ .what = PAUSE_NODE };
	const char *at = strstr(value, until);
	bool is_at_edge = at == value || (at != NULL && strchr("; \t", at[-1]) != NULL);
	struct str time = { 0 };
	if (is_at_edge) {
		time.p = at + sizeof until - 1;
		time.n = strcspn(time.p, "; \t\"");
	}
	cut_copy(out->reason, sizeof out->reason, value);
	if (!is_at_edge || !wall_parse(time, &out->until)) {
		out->until = (struct wall){ 0 };
		return;
	}
	size_t kept = (size_t)(at - value);
	while (kept > 0 && strchr("; \t", value[kept - 1]) != NULL)
		kept--;
	if (kept < sizeof out->reason)
		out->reason[kept] = '\0';
}

static bool is_of(const struct pause *pause, const struct node *node)
{
	if (pause->what == PAUSE_NODE)
		return strcmp(pause->name, node->name) == 0;
	/* Which group a server that never joined is of, is not known: it may be this one. */
	bool is_anyones = node->is_phantom && node->group[0] == '\0';
	return is_anyones || strcmp(pause->name, node->group) == 0;
}

/* The pause that holds this node; *out_own is filled when it is the node's own annotation. */
static const struct pause *holding(const struct switches *switches, const struct node *node, struct wall now,
				   struct pause *out_own)
{
	for (int what = PAUSE_CLUSTER; what <= PAUSE_NODE; what++) {
		for (size_t i = 0; i < switches->count; i++) {
			const struct pause *pause = &switches->list[i];
			if ((int)pause->what != what || is_over(pause, now))
				continue;
			if (pause->what == PAUSE_CLUSTER)
				return pause;
			if (node != NULL && is_of(pause, node))
				return pause;
		}
	}
	const char *value = node != NULL ? node_annotation(node, ANNOTATION_PAUSED) : NULL;
	if (value == NULL || strcmp(value, "false") == 0)
		return NULL;
	read_annotation(value, out_own);
	return is_over(out_own, now) ? NULL : out_own;
}

bool switches_is_paused(const struct switches *switches, const struct node *node, struct wall now)
{
	struct pause own;
	return switches->is_garbled || holding(switches, node, now, &own) != NULL;
}

const char *switches_hold(const struct switches *switches, const struct node *node, struct wall now,
			  struct arena *arena)
{
	struct pause own;
	char until[WALL_TEXT_BYTES];
	if (switches->is_garbled)
		return arena_printf(arena, SWITCHES_KEY " is not understood, so everything is paused: %s",
				    switches->trouble);
	const struct pause *pause = holding(switches, node, now, &own);
	if (pause == NULL)
		return NULL;
	bool is_named = pause->what == PAUSE_GROUP;
	return arena_printf(arena, "%s%s%s%s%s%s%s%s%s", names[pause->what], is_named ? " " : "",
			    is_named ? pause->name : "", pause->by[0] != '\0' ? " by " : "", pause->by,
			    pause->reason[0] != '\0' ? ": " : "", pause->reason, pause->until.ms != 0 ? ", until " : "",
			    pause->until.ms != 0 ? wall_format(pause->until, until) : "");
}
