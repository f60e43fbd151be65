#include "sim/due.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"

void thing_drop(struct thing *thing)
{
	assert(!thing->is_dead);
	thing->is_dead = true;
	if (thing->events == 0)
		thing->destroy(thing);
}

static void let_go(struct thing *thing)
{
	assert(thing->events > 0);
	thing->events--;
	if (thing->is_dead && thing->events == 0)
		thing->destroy(thing);
}

static bool is_before(const struct event *a, const struct event *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

void due_push(struct due *due, int64_t due_ms, int kind, void *what, uint32_t epoch)
{
	if (due->count == due->room) {
		due->room = due->room > 0 ? due->room * 2 : 64;
		due->heap = xrealloc(due->heap, due->room * sizeof(due->heap[0]));
	}
	((struct thing *)what)->events++;
	struct event event = { .due_ms = due_ms, .order = due->made++, .kind = kind, .epoch = epoch, .what = what };
	size_t at = due->count++;
	while (at > 0 && is_before(&event, &due->heap[(at - 1) / 2])) {
		due->heap[at] = due->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	due->heap[at] = event;
}

static void drop_first(struct due *due)
{
	struct event last = due->heap[--due->count];
	size_t at = 0;
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= due->count)
			break;
		if (child + 1 < due->count && is_before(&due->heap[child + 1], &due->heap[child]))
			child++;
		if (!is_before(&due->heap[child], &last))
			break;
		due->heap[at] = due->heap[child];
		at = child;
	}
	due->heap[at] = last;
}

static void skip_dead(struct due *due)
{
	while (due->count > 0 && ((struct thing *)due->heap[0].what)->is_dead) {
		struct thing *thing = due->heap[0].what;
		drop_first(due);
		let_go(thing);
	}
}

bool due_pop(struct due *due, int64_t until_ms, struct event *out)
{
	skip_dead(due);
	if (due->count == 0 || due->heap[0].due_ms > until_ms)
		return false;
	*out = due->heap[0];
	drop_first(due);
	((struct thing *)out->what)->events--; /* it is alive, and the caller's from here on */
	return true;
}

int64_t due_next(struct due *due)
{
	skip_dead(due);
	return due->count > 0 ? due->heap[0].due_ms : NEVER;
}

void due_done(struct due *due)
{
	while (due->count > 0) {
		struct thing *thing = due->heap[0].what;
		drop_first(due);
		let_go(thing);
	}
	free(due->heap);
	*due = (struct due){ 0 };
}

/* ---- map: open addressing, linear probing, room a power of two, at most half full ---- */

static size_t place_of(const char *key, size_t room)
{
	uint64_t hash = UINT64_C(1469598103934665603); /* FNV-1a */
	for (const unsigned char *c = (const unsigned char *)key; *c != '\0'; c++)
		hash = (hash ^ *c) * UINT64_C(1099511628211);
	return (size_t)(hash ^ (hash >> 32)) & (room - 1);
}

static size_t find(const struct map *map, const char *key)
{
	size_t at = place_of(key, map->room);
	while (map->slots[at].key != NULL && strcmp(map->slots[at].key, key) != 0)
		at = (at + 1) & (map->room - 1);
	return at;
}

static void grow(struct map *map)
{
	struct map bigger = { .room = map->room > 0 ? map->room * 2 : 32 };
	bigger.slots = xcalloc(bigger.room, sizeof(bigger.slots[0]));
	for (size_t i = 0; i < map->room; i++) {
		if (map->slots[i].key != NULL)
			bigger.slots[find(&bigger, map->slots[i].key)] = map->slots[i];
	}
	bigger.count = map->count;
	free(map->slots);
	*map = bigger;
}

void map_put(struct map *map, const char *key, void *value)
{
	if (map->count * 2 >= map->room)
		grow(map);
	struct map_slot *slot = &map->slots[find(map, key)];
	if (slot->key == NULL)
		map->count++;
	*slot = (struct map_slot){ .key = key, .value = value };
}

void *map_get(const struct map *map, const char *key)
{
	return map->room > 0 ? map->slots[find(map, key)].value : NULL;
}

void map_remove(struct map *map, const char *key)
{
	if (map->room == 0)
		return;
	size_t hole = find(map, key);
	if (map->slots[hole].key == NULL)
		return;
	map->count--;
	/* What was put further on because of this one moves up, so that no probe ends too early. */
	for (size_t at = (hole + 1) & (map->room - 1); map->slots[at].key != NULL; at = (at + 1) & (map->room - 1)) {
		size_t home = place_of(map->slots[at].key, map->room);
		if (((at - home) & (map->room - 1)) >= ((at - hole) & (map->room - 1))) {
			map->slots[hole] = map->slots[at];
			hole = at;
		}
	}
	map->slots[hole] = (struct map_slot){ 0 };
}

void map_done(struct map *map)
{
	free(map->slots);
	*map = (struct map){ 0 };
}
