/* Any bytes: a tree within its limits, or an error with a place. */
#include "conf/yaml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct ynode *node, unsigned depth)
{
	size_t count = 1;
	bool has_text = node->text != NULL;
	if (depth > YAML_DEPTH_MAX + 1 || node->line == 0 || node->column == 0)
		abort();
	if (has_text != (node->kind == Y_SCALAR || node->kind == Y_NULL))
		abort();
	for (size_t i = 0; i < node->count; i++) {
		if (node->kind == Y_MAP && node->keys[i]->kind != Y_SCALAR)
			abort();
		count += walk(node->items[i], depth + 1) + (node->kind == Y_MAP);
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	struct ydoc *doc = yaml_parse((struct str){ (const char *)data, size }, "n", &err);
	if (doc == NULL) {
		if (strncmp(err.text, "n:", 2) != 0)
			abort();
		return 0;
	}
	if (walk(yaml_root(doc), 0) > YAML_NODES_MAX)
		abort();
	yaml_free(doc);
	return 0;
}
