/* The Nodes: an array sorted by name for the readers, a hash index by name for the writer, one block of memory a node,
 * which is written over in place while the node keeps its size.
 *
 * A first listing of 100,000 nodes in any order appends them and sorts once, when somebody looks or the listing ends.
 */
#include "kube/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kube/intern.h"
#include "kube/node_pb.h"

#define BLOCK_GRAIN ((size_t)16) /* room to grow: a resourceVersion that gains a digit moves nothing */
#define NODES_MAX ((size_t)1 << 20)

/* What stands in front of the struct node in its block. */
struct entry {
	uint32_t listing; /* the last listing that put it */
	uint32_t room;    /* bytes from `node` on */
	struct node node;
};

struct store {
	struct node **list;
	size_t count, cap;
	bool is_sorted;
	struct node **slots; /* open addressing by name; never more than half full */
	size_t slots_count;  /* power of two */
	struct intern *intern;
	uint32_t listing;
	bool is_listing;
	uint64_t version;
	struct wanted_keys wanted;
	struct node_view view; /* scratch: too large for the stack of a callback */
};

static struct entry *entry_of(struct node *node)
{
	return CONTAINER_OF(node, struct entry, node);
}

struct store *store_new(void)
{
	struct store *store = xcalloc(1, sizeof *store);
	store->is_sorted = true;
	store->slots_count = 64;
	store->slots = xcalloc(store->slots_count, sizeof *store->slots);
	store->intern = intern_new();
	return store;
}

void store_free(struct store *store)
{
	if (store == NULL)
		return;
	for (size_t i = 0; i < store->count; i++)
		free(entry_of(store->list[i]));
	free(store->list);
	free(store->slots);
	for (size_t i = 0; i < store->wanted.count; i++)
		free(store->wanted.list[i]);
	intern_free(store->intern);
	free(store);
}

/* The slot that holds NAME, or the free one where it would go. */
static size_t slot_of(const struct store *store, struct str name)
{
	size_t mask = store->slots_count - 1;
	size_t at = hash_bytes(name) & mask;
	while (store->slots[at] != NULL && !str_eq(name, store->slots[at]->name))
		at = (at + 1) & mask;
	return at;
}

static void index_grow(struct store *store)
{
	struct node **old = store->slots;
	size_t old_count = store->slots_count;
	store->slots_count *= 2;
	store->slots = xcalloc(store->slots_count, sizeof *store->slots);
	for (size_t i = 0; i < old_count; i++) {
		if (old[i] != NULL)
			store->slots[slot_of(store, str_of(old[i]->name))] = old[i];
	}
	free(old);
}

/* Empties a slot and moves back what had been pushed on by it, so that no search ends too early. */
static void index_remove(struct store *store, size_t at)
{
	size_t mask = store->slots_count - 1;
	size_t hole = at;
	for (size_t i = (at + 1) & mask; store->slots[i] != NULL; i = (i + 1) & mask) {
		size_t home = hash_bytes(str_of(store->slots[i]->name)) & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			store->slots[hole] = store->slots[i];
			hole = i;
		}
	}
	store->slots[hole] = NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

static void sort(struct store *store)
{
	if (!store->is_sorted)
		qsort(store->list, store->count, sizeof *store->list, by_name);
	store->is_sorted = true;
}

/* The first place whose name is not before NAME; the list is sorted. */
static size_t place_of(const struct store *store, const char *name)
{
	size_t low = 0;
	size_t high = store->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(store->list[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void list_add(struct store *store, struct node *node)
{
	if (store->count == store->cap) {
		store->cap = store->cap > 0 ? store->cap * 2 : 64;
		store->list = xrealloc(store->list, store->cap * sizeof *store->list);
	}
	bool is_last = store->count == 0 || strcmp(store->list[store->count - 1]->name, node->name) < 0;
	if (store->is_listing || !store->is_sorted || is_last) {
		store->is_sorted = store->is_sorted && is_last;
		store->list[store->count++] = node;
		return;
	}
	size_t at = place_of(store, node->name);
	memmove(&store->list[at + 1], &store->list[at], (store->count - at) * sizeof *store->list);
	store->list[at] = node;
	store->count++;
}

static struct node *block_fill(struct store *store, struct entry *entry, size_t bytes)
{
	entry->listing = store->listing;
	return node_build(&store->view, store->intern, &entry->node, bytes);
}

static struct entry *block_new(size_t bytes)
{
	size_t room = (bytes + BLOCK_GRAIN - 1) / BLOCK_GRAIN * BLOCK_GRAIN;
	struct entry *entry = xmalloc(offsetof(struct entry, node) + room);
	entry->room = (uint32_t)room;
	return entry;
}

/* Writes the view over a node that is there. */
static void rewrite(struct store *store, size_t slot)
{
	struct node *old = store->slots[slot];
	struct entry *entry = entry_of(old);
	size_t bytes = node_block_bytes(&store->view, store->intern);
	if (bytes <= entry->room && bytes > entry->room / 2) {
		(void)block_fill(store, entry, bytes);
		return;
	}
	sort(store);
	size_t place = place_of(store, old->name);
	assert(store->list[place] == old);
	struct node *node = block_fill(store, block_new(bytes), bytes);
	store->list[place] = node;
	store->slots[slot] = node;
	free(entry);
}

void store_want(struct store *store, const char *key)
{
	struct wanted_keys *wanted = &store->wanted;
	for (size_t i = 0; i < wanted->count; i++) {
		if (strcmp(wanted->list[i], key) == 0)
			return;
	}
	assert(wanted->count < WANTED_KEYS_MAX); /* one for each configured check at most */
	wanted->list[wanted->count++] = xstrdup(key);
}

bool store_put(struct store *store, struct str node_pb, bool *out_changed, struct err *err)
{
	if (!node_view_read(node_pb, &store->wanted, &store->view, err))
		return false;
	size_t slot = slot_of(store, store->view.name);
	bool is_changed = true;
	if (store->slots[slot] != NULL) {
		is_changed = node_differs(store->slots[slot], &store->view);
		rewrite(store, slot);
	} else {
		if (store->count == NODES_MAX)
			return fail(err, ERR_LIMIT, "more than %zu nodes", NODES_MAX);
		size_t bytes = node_block_bytes(&store->view, store->intern);
		struct node *node = block_fill(store, block_new(bytes), bytes);
		store->slots[slot] = node;
		list_add(store, node);
		if (store->count * 2 > store->slots_count)
			index_grow(store);
	}
	store->version += is_changed;
	if (out_changed != NULL)
		*out_changed = is_changed;
	return true;
}

bool store_delete(struct store *store, const char *name)
{
	size_t slot = slot_of(store, str_of(name));
	struct node *node = store->slots[slot];
	if (node == NULL)
		return false;
	sort(store);
	size_t place = place_of(store, node->name);
	assert(store->list[place] == node);
	index_remove(store, slot);
	store->count--;
	memmove(&store->list[place], &store->list[place + 1], (store->count - place) * sizeof *store->list);
	free(entry_of(node));
	store->version++;
	return true;
}

void store_list_begin(struct store *store)
{
	store->listing++;
	store->is_listing = true;
}

void store_list_end(struct store *store)
{
	assert(store->is_listing);
	store->is_listing = false;
	size_t kept = 0;
	for (size_t i = 0; i < store->count; i++) {
		struct node *node = store->list[i];
		if (entry_of(node)->listing == store->listing) {
			store->list[kept++] = node;
			continue;
		}
		index_remove(store, slot_of(store, str_of(node->name)));
		free(entry_of(node));
	}
	store->version += kept != store->count;
	store->count = kept;
	sort(store);
}

void store_list_abandon(struct store *store)
{
	store->is_listing = false;
	sort(store);
}

const struct node *const *store_nodes(const struct store *store, size_t *out_count)
{
	/* Sorting late is no change that a reader could see; a store is never an object in read-only memory. */
	sort((struct store *)store);
	*out_count = store->count;
	return (const struct node *const *)store->list;
}

const struct node *store_find(const struct store *store, const char *name)
{
	return store->slots[slot_of(store, str_of(name))];
}

uint64_t store_version(const struct store *store)
{
	return store->version;
}
