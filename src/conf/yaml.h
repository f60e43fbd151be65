/* YAML with positions: every node knows its line and column. On top of libyaml's event API. Used for the
 * configuration, clouds.yaml and kubeconfigs. Anchors are refused except on scalars; tags except YAML's own; depth and
 * count are capped; duplicate keys are for the caller (schema) to report. */
#ifndef MAH_CONF_YAML_H
#define MAH_CONF_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define YAML_BYTES_MAX ((size_t)4 << 20) /* kubeconfigs carry certificates */
#define YAML_DEPTH_MAX 32
#define YAML_NODES_MAX 100000

enum ykind { Y_NULL, Y_SCALAR, Y_LIST, Y_MAP };
struct ynode {
	enum ykind kind;
	unsigned line, column;            /* from 1 */
	bool is_quoted;                   /* "true" in quotes is a text */
	const char *text;                 /* Y_SCALAR: its text; Y_NULL: "" */
	size_t count;                     /* Y_LIST: items; Y_MAP: pairs */
	const struct ynode *const *items; /* Y_LIST: items; Y_MAP: values */
	const struct ynode *const *keys;  /* Y_MAP; always Y_SCALAR */
};
struct ydoc;
/* One document; an empty text gives a Y_NULL root. The error text is "name:line:column: ...". */
struct ydoc *yaml_parse(struct str text, const char *name, struct err *err);
/* libyaml.so has a function of this name that it calls itself; ours must not take its place at link time. */
void yaml_free(struct ydoc *) __asm__("mah_yaml_free");
const struct ynode *yaml_root(const struct ydoc *);
const char *yaml_name(const struct ydoc *);
/* The value of a key, exact spelling; NULL when absent or when map is not a Y_MAP (map may be NULL). */
const struct ynode *yaml_get(const struct ynode *map, const char *key);
const char *yaml_text(const struct ynode *map, const char *key); /* scalar's text; NULL otherwise */
bool yaml_bool(const struct ynode *map, const char *key, bool otherwise);
/* true, yes, on, y and their opposites, in any case; false for any other text. */
bool yaml_truth(const char *text, bool *out_value);

#endif
