/* Builds a tree of positioned nodes from libyaml's events. The events are used and not its document loader, because the
 * loader resolves aliases silently and has no limits: here depth, number of nodes and anchors are checked while the
 * text is read, so that a small text cannot become a large tree. */
#include "conf/yaml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/mem.h"

#define ANCHORS_MAX 100 /* they are looked up one after another */

struct anchor {
	const char *name;
	const struct ynode *node;
};

struct ydoc {
	struct arena arena;
	char *name;
	const struct ynode *root;
};

/* Children of the collections that are being read, innermost last. */
struct stack {
	const struct ynode **list;
	size_t count, cap;
};

struct reader {
	yaml_parser_t parser;
	struct ydoc *doc;
	struct stack stack;
	struct anchor anchors[ANCHORS_MAX];
	size_t anchors_count;
	size_t nodes_count;
	struct err *err;
};

static void stack_push(struct stack *stack, const struct ynode *node)
{
	if (stack->count == stack->cap) {
		stack->cap = stack->cap > 0 ? stack->cap * 2 : 32;
		stack->list = xrealloc(stack->list, stack->cap * sizeof(stack->list[0]));
	}
	stack->list[stack->count++] = node;
}

static bool fail_at(struct reader *r, yaml_mark_t mark, const char *text)
{
	return fail(r->err, ERR_INPUT, "%s:%zu:%zu: %s", r->doc->name, mark.line + 1, mark.column + 1, text);
}

/* The reader below the scanner knows only a byte offset, and its input may still be in its buffer: the offset counts
 * from the start of the text. */
static yaml_mark_t mark_of_offset(const yaml_parser_t *parser, struct str text)
{
	yaml_mark_t mark = { 0 };
	size_t end = parser->problem_offset < text.n ? parser->problem_offset : text.n;
	for (size_t i = 0; i < end; i++) {
		bool is_newline = text.p[i] == '\n';
		bool is_continuation = ((unsigned char)text.p[i] & 0xc0) == 0x80;
		mark.line += is_newline;
		mark.column = is_newline ? 0 : mark.column + !is_continuation;
	}
	return mark;
}

static bool fail_syntax(struct reader *r, struct str text)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem != NULL ? p->problem : "not YAML";
	if (p->error == YAML_READER_ERROR)
		return fail_at(r, mark_of_offset(p, text), problem);
	if (p->context == NULL)
		return fail_at(r, p->problem_mark, problem);
	return fail(r->err, ERR_INPUT, "%s:%zu:%zu: %s (%s from line %zu)", r->doc->name, p->problem_mark.line + 1,
		    p->problem_mark.column + 1, problem, p->context, p->context_mark.line + 1);
}

static bool next_event(struct reader *r, struct str text, yaml_event_t *out)
{
	return yaml_parser_parse(&r->parser, out) != 0 ? true : fail_syntax(r, text);
}

static struct ynode *node_new(struct reader *r, enum ykind kind, yaml_mark_t mark)
{
	if (r->nodes_count++ >= YAML_NODES_MAX) {
		(void)fail(r->err, ERR_LIMIT, "%s:%zu:%zu: more than %d values", r->doc->name, mark.line + 1,
			   mark.column + 1, YAML_NODES_MAX);
		return NULL;
	}
	struct ynode *node = arena_new(&r->doc->arena, struct ynode);
	node->kind = kind;
	node->line = (unsigned)mark.line + 1;
	node->column = (unsigned)mark.column + 1;
	return node;
}

static bool is_null_text(const char *text)
{
	return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 ||
	       strcmp(text, "NULL") == 0;
}

/* The tags of YAML's core schema say nothing new, except that a text is a text. */
static bool check_tag(struct reader *r, const yaml_char_t *tag, yaml_mark_t mark, bool *out_is_text)
{
	static const char prefix[] = "tag:yaml.org,2002:";
	static const char *const known[] = { "str", "int", "float", "bool", "null", "map", "seq" };
	*out_is_text = false;
	if (tag == NULL)
		return true;
	const char *text = (const char *)tag;
	if (strcmp(text, "!") == 0) {
		*out_is_text = true;
		return true;
	}
	if (!text_starts(text, prefix))
		return fail_at(r, mark, "an unknown tag");
	for (size_t i = 0; i < COUNT(known); i++) {
		if (strcmp(text + strlen(prefix), known[i]) == 0) {
			*out_is_text = i == 0;
			return true;
		}
	}
	return fail_at(r, mark, "an unknown tag");
}

static bool keep_anchor(struct reader *r, const yaml_char_t *name, yaml_mark_t mark, const struct ynode *node)
{
	if (name == NULL)
		return true;
	if (r->anchors_count == ANCHORS_MAX)
		return fail_at(r, mark, "too many anchors");
	char *copy = arena_strdup(&r->doc->arena, (const char *)name);
	r->anchors[r->anchors_count++] = (struct anchor){ copy, node };
	return true;
}

static const struct ynode *read_scalar(struct reader *r, const yaml_event_t *event)
{
	yaml_mark_t mark = event->start_mark;
	const char *value = (const char *)event->data.scalar.value;
	bool is_text = false;
	if (!check_tag(r, event->data.scalar.tag, mark, &is_text))
		return NULL;
	if (memchr(value, '\0', event->data.scalar.length) != NULL) {
		(void)fail_at(r, mark, "a NUL character in a text");
		return NULL;
	}
	bool is_quoted = is_text || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	bool is_null = !is_quoted && is_null_text(value);
	struct ynode *node = node_new(r, is_null ? Y_NULL : Y_SCALAR, mark);
	if (node == NULL)
		return NULL;
	node->is_quoted = is_quoted;
	node->text = is_null ? "" : arena_strdup(&r->doc->arena, value);
	return keep_anchor(r, event->data.scalar.anchor, mark, node) ? node : NULL;
}

/* An alias is a copy of the anchored scalar at the alias' own place. */
static const struct ynode *read_alias(struct reader *r, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	for (size_t i = r->anchors_count; i-- > 0;) {
		if (strcmp(r->anchors[i].name, name) != 0)
			continue;
		struct ynode *node = node_new(r, r->anchors[i].node->kind, event->start_mark);
		if (node != NULL) {
			node->is_quoted = r->anchors[i].node->is_quoted;
			node->text = r->anchors[i].node->text;
		}
		return node;
	}
	(void)fail_at(r, event->start_mark, "an alias of nothing (no anchor of this name stands before it)");
	return NULL;
}

static const struct ynode *read_node(struct reader *, struct str text, yaml_event_t *event, unsigned depth);

static const struct ynode *read_next(struct reader *r, struct str text, unsigned depth)
{
	yaml_event_t event;
	if (!next_event(r, text, &event))
		return NULL;
	const struct ynode *node = read_node(r, text, &event, depth);
	yaml_event_delete(&event);
	return node;
}

/* Pushes one child, or sees the end of the collection. False: an error. */
static bool read_child(struct reader *r, struct str text, unsigned depth, bool *out_is_end)
{
	yaml_event_t event;
	if (!next_event(r, text, &event))
		return false;
	*out_is_end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
	const struct ynode *node = *out_is_end ? NULL : read_node(r, text, &event, depth);
	yaml_event_delete(&event);
	if (node != NULL)
		stack_push(&r->stack, node);
	return *out_is_end || node != NULL;
}

/* Keys are texts; an absent one (": x", "null: x") is a slip. */
static bool make_key(struct reader *r, const struct ynode *node)
{
	if (node->kind == Y_SCALAR)
		return true;
	yaml_mark_t mark = { .line = node->line - 1, .column = node->column - 1 };
	if (node->kind != Y_NULL)
		return fail_at(r, mark, "a key must be a plain text, not a list or a mapping");
	return fail_at(r, mark, "an empty key");
}

static const struct ynode *read_list(struct reader *r, struct str text, struct ynode *list, unsigned depth)
{
	size_t first = r->stack.count;
	for (;;) {
		bool is_end = false;
		if (!read_child(r, text, depth, &is_end))
			return NULL;
		if (is_end)
			break;
	}
	list->count = r->stack.count - first;
	const struct ynode **items = arena_array(&r->doc->arena, const struct ynode *, list->count + 1);
	for (size_t i = 0; i < list->count; i++)
		items[i] = r->stack.list[first + i];
	list->items = items;
	r->stack.count = first;
	return list;
}

static const struct ynode *read_map(struct reader *r, struct str text, struct ynode *map, unsigned depth)
{
	size_t first = r->stack.count;
	for (;;) {
		bool is_end = false;
		if (!read_child(r, text, depth, &is_end))
			return NULL;
		if (is_end)
			break;
		const struct ynode *value = NULL;
		if (!make_key(r, r->stack.list[r->stack.count - 1]) || (value = read_next(r, text, depth)) == NULL)
			return NULL;
		stack_push(&r->stack, value);
	}
	map->count = (r->stack.count - first) / 2;
	const struct ynode **keys = arena_array(&r->doc->arena, const struct ynode *, map->count + 1);
	const struct ynode **values = arena_array(&r->doc->arena, const struct ynode *, map->count + 1);
	for (size_t i = 0; i < map->count; i++) {
		keys[i] = r->stack.list[first + 2 * i];
		values[i] = r->stack.list[first + 2 * i + 1];
	}
	map->keys = keys;
	map->items = values;
	r->stack.count = first;
	return map;
}

static const struct ynode *read_collection(struct reader *r, struct str text, const yaml_event_t *event, unsigned depth)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *anchor = is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	const yaml_char_t *tag = is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	bool is_text = false;
	if (anchor != NULL) {
		(void)fail_at(r, event->start_mark, "an anchor on a list or mapping (only single values may have one)");
		return NULL;
	}
	if (depth >= YAML_DEPTH_MAX) {
		(void)fail_at(r, event->start_mark, "nested too deeply");
		return NULL;
	}
	if (!check_tag(r, tag, event->start_mark, &is_text))
		return NULL;
	struct ynode *node = node_new(r, is_map ? Y_MAP : Y_LIST, event->start_mark);
	if (node == NULL)
		return NULL;
	return is_map ? read_map(r, text, node, depth + 1) : read_list(r, text, node, depth + 1);
}

static const struct ynode *read_node(struct reader *r, struct str text, yaml_event_t *event, unsigned depth)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, event);
	case YAML_ALIAS_EVENT:
		return read_alias(r, event);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return read_collection(r, text, event, depth);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		break;
	}
	(void)fail_at(r, event->start_mark, "a value is missing");
	return NULL;
}

static bool skip_event(struct reader *r, struct str text, yaml_event_type_t *out_type, yaml_mark_t *out_mark)
{
	yaml_event_t event;
	if (!next_event(r, text, &event))
		return false;
	*out_type = event.type;
	*out_mark = event.start_mark;
	yaml_event_delete(&event);
	return true;
}

static bool read_document(struct reader *r, struct str text)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	yaml_mark_t mark = { 0 };
	if (!skip_event(r, text, &type, &mark) || !skip_event(r, text, &type, &mark)) /* start of stream, of document */
		return false;
	if (type == YAML_STREAM_END_EVENT) {
		struct ynode *empty = node_new(r, Y_NULL, (yaml_mark_t){ 0 });
		empty->text = "";
		r->doc->root = empty;
		return true;
	}
	r->doc->root = read_next(r, text, 0);
	if (r->doc->root == NULL || !skip_event(r, text, &type, &mark) || !skip_event(r, text, &type, &mark))
		return false;
	return type == YAML_STREAM_END_EVENT ? true : fail_at(r, mark, "a second document begins; one is allowed");
}

struct ydoc *yaml_parse(struct str text, const char *name, struct err *err)
{
	if (text.n > YAML_BYTES_MAX) {
		(void)fail(err, ERR_LIMIT, "%s:1:1: larger than %zu bytes", name, YAML_BYTES_MAX);
		return NULL;
	}
	struct reader r = { .doc = xcalloc(1, sizeof *r.doc), .err = err };
	arena_init(&r.doc->arena);
	r.doc->name = xstrdup(name);
	if (yaml_parser_initialize(&r.parser) == 0)
		abort(); /* out of memory; nothing else can fail there */
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n > 0 ? text.p : ""), text.n);
	bool is_read = read_document(&r, text);
	yaml_parser_delete(&r.parser);
	free(r.stack.list);
	if (!is_read) {
		yaml_free(r.doc);
		return NULL;
	}
	return r.doc;
}

void yaml_free(struct ydoc *doc)
{
	if (doc == NULL)
		return;
	arena_done(&doc->arena);
	free(doc->name);
	free(doc);
}

const struct ynode *yaml_root(const struct ydoc *doc)
{
	return doc->root;
}

const char *yaml_name(const struct ydoc *doc)
{
	return doc->name;
}

const struct ynode *yaml_get(const struct ynode *map, const char *key)
{
	if (map == NULL || map->kind != Y_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->items[i];
	}
	return NULL;
}

const char *yaml_text(const struct ynode *map, const char *key)
{
	const struct ynode *node = yaml_get(map, key);
	return node != NULL && node->kind == Y_SCALAR ? node->text : NULL;
}

bool yaml_truth(const char *text, bool *out_value)
{
	static const char *const truths[] = { "true", "yes", "on", "y" };
	static const char *const lies[] = { "false", "no", "off", "n" };
	for (size_t i = 0; i < COUNT(truths); i++) {
		if (strcasecmp(text, truths[i]) == 0 || strcasecmp(text, lies[i]) == 0) {
			*out_value = strcasecmp(text, truths[i]) == 0;
			return true;
		}
	}
	return false;
}

bool yaml_bool(const struct ynode *map, const char *key, bool otherwise)
{
	const struct ynode *node = yaml_get(map, key);
	bool value = otherwise;
	if (node != NULL && node->kind == Y_SCALAR && !node->is_quoted)
		(void)yaml_truth(node->text, &value); /* anything else: otherwise */
	return value;
}
