/* Bytes as one Node: decoding, storing twice (the second time over the first), and what readers rely on. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube/node_pb.h"
#include "kube/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store *store = store_new();
	struct str bytes = { (const char *)data, size };
	struct err err;
	bool is_changed = false;
	if (store_put(store, bytes, NULL, &err)) {
		size_t count = 0;
		const struct node *node = store_nodes(store, &count)[0];
		if (count != 1 || node->name[0] == '\0' || strlen(node->name) >= NODE_NAME_BYTES ||
		    node->conditions_count > NODE_CONDITIONS_MAX || store_find(store, node->name) != node)
			abort();
		if (!store_put(store, bytes, &is_changed, &err) || is_changed || store_version(store) != 1)
			abort();
		(void)store_delete(store, store_nodes(store, &count)[0]->name);
	}
	store_free(store);
	return 0;
}
