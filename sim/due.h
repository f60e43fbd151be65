/* What is due when: a binary heap of events, in order of time and, at the same time, of their making. And a map from
 * names to things. Both private to the simulated world. */
#ifndef MAH_SIM_DUE_H
#define MAH_SIM_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What events point to. It dies only when no event points to it any more; events of the dead are dropped. */
struct thing {
	unsigned events;
	bool is_dead;
	void (*destroy)(void *);
};
void thing_drop(struct thing *); /* dead from now on */

struct event {
	int64_t due_ms;
	uint64_t order;
	int kind;
	uint32_t epoch; /* of the thing when the event was made: an older one than the thing's own is void */
	void *what;     /* begins with a struct thing */
};
struct due {
	struct event *heap;
	size_t count, room;
	uint64_t made;
};
void due_push(struct due *, int64_t due_ms, int kind, void *what, uint32_t epoch);
bool due_pop(struct due *, int64_t until_ms, struct event *out); /* false: nothing is due by then; skips the dead */
int64_t due_next(struct due *);                                  /* NEVER when there is none */
void due_done(struct due *);                                     /* lets go of what events point to, too */

/* Text key → value. Keys are borrowed: they live inside the values. */
struct map {
	struct map_slot {
		const char *key;
		void *value;
	} * slots;
	size_t count, room;
};
void map_put(struct map *, const char *key, void *value); /* replaces */
void *map_get(const struct map *, const char *key);       /* NULL: not there */
void map_remove(struct map *, const char *key);
void map_done(struct map *);

#endif
