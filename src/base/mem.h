/* Memory: out of memory ends the process, because every allocation is bounded and durable state lives elsewhere.
 * Three lifetimes: process and object (xmalloc/free), turn (struct arena, reset at the end of a turn). */
#ifndef MAH_BASE_MEM_H
#define MAH_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *old, size_t bytes);
char *xstrdup(const char *text); /* NULL stays NULL */
char *xstrndup(const char *text, size_t n);

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hands an owned pointer on: leaves NULL behind. */
#define steal(p)                                                                                                       \
	({                                                                                                             \
		__typeof__(p) *at_ = &(p);                                                                             \
		__typeof__(p) was_ = *at_;                                                                             \
		*at_ = NULL;                                                                                           \
		was_;                                                                                                  \
	})

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Turn memory. Everything taken from an arena dies at arena_reset(); there is no free. */
struct arena_block;
struct arena {
	struct arena_block *first; /* kept over resets, so that a steady turn allocates nothing */
	struct arena_block *at;
	size_t used; /* bytes in *at */
};
void arena_init(struct arena *);
void arena_done(struct arena *);
void arena_reset(struct arena *);
void *arena_alloc(struct arena *, size_t bytes); /* zeroed, aligned for anything */
char *arena_strdup(struct arena *, const char *text);
char *arena_printf(struct arena *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))

#endif
