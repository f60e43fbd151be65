#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *must(void *p)
{
	if (p == NULL) {
		(void)fputs("out of memory\n", stderr); /* nothing can be done if that fails too */
		abort();
	}
	return p;
}

void *xmalloc(size_t bytes)
{
	return must(malloc(bytes > 0 ? bytes : 1));
}

void *xcalloc(size_t count, size_t bytes)
{
	return must(calloc(count > 0 ? count : 1, bytes > 0 ? bytes : 1));
}

void *xrealloc(void *old, size_t bytes)
{
	return must(realloc(old, bytes > 0 ? bytes : 1));
}

char *xstrdup(const char *text)
{
	return text == NULL ? NULL : xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t n)
{
	char *copy = xmalloc(n + 1);
	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

#define ARENA_BLOCK_BYTES ((size_t)64 * 1024)
#define ARENA_ALIGN (sizeof(max_align_t))

struct arena_block {
	struct arena_block *next;
	size_t bytes;
	max_align_t data[];
};

void arena_init(struct arena *arena)
{
	*arena = (struct arena){ 0 };
}

void arena_done(struct arena *arena)
{
	struct arena_block *block = arena->first;
	while (block != NULL) {
		struct arena_block *next = block->next;
		free(block);
		block = next;
	}
	*arena = (struct arena){ 0 };
}

void arena_reset(struct arena *arena)
{
	arena->at = arena->first;
	arena->used = 0;
}

static void arena_grow(struct arena *arena, size_t bytes)
{
	while (arena->at != NULL && arena->at->next != NULL) { /* a block kept from an earlier turn */
		arena->at = arena->at->next;
		arena->used = 0;
		if (arena->at->bytes >= bytes)
			return;
	}
	size_t size = bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES;
	struct arena_block *block = xmalloc(sizeof *block + size);
	block->next = NULL;
	block->bytes = size;
	if (arena->at == NULL)
		arena->first = block;
	else
		arena->at->next = block;
	arena->at = block;
	arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
	bytes = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	if (arena->at == NULL || arena->at->bytes - arena->used < bytes)
		arena_grow(arena, bytes);
	assert(arena->at->bytes - arena->used >= bytes);
	void *p = (char *)arena->at->data + arena->used;
	arena->used += bytes;
	return memset(p, 0, bytes);
}

char *arena_strdup(struct arena *arena, const char *text)
{
	size_t n = strlen(text) + 1;
	return memcpy(arena_alloc(arena, n), text, n);
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	char *text = arena_alloc(arena, (size_t)n + 1);
	(void)vsnprintf(text, (size_t)n + 1, fmt, again);
	va_end(again);
	return text;
}
