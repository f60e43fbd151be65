#include "kube/intern.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SLOTS 8192u /* power of two, twice the most that is taken in: probing stays short */

static_assert(SLOTS >= 2 * INTERN_COUNT_MAX, "the table is at most half full");

struct intern {
	char *slots[SLOTS];
	size_t count;
};

struct intern *intern_new(void)
{
	return xcalloc(1, sizeof(struct intern));
}

void intern_free(struct intern *intern)
{
	if (intern == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		free(intern->slots[i]);
	free(intern);
}

size_t intern_count(const struct intern *intern)
{
	return intern->count;
}

unsigned hash_bytes(struct str text)
{
	unsigned hash = 2166136261u;
	for (size_t i = 0; i < text.n; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * 16777619u;
	return hash;
}

const char *intern_text(struct intern *intern, struct str text)
{
	if (text.n == 0)
		return "";
	if (text.n > INTERN_BYTES_MAX)
		return NULL;
	unsigned at = hash_bytes(text) % SLOTS;
	for (; intern->slots[at] != NULL; at = (at + 1) % SLOTS) {
		if (str_eq(text, intern->slots[at]))
			return intern->slots[at];
	}
	if (intern->count == INTERN_COUNT_MAX)
		return NULL;
	intern->count++;
	intern->slots[at] = xstrndup(text.p, text.n);
	return intern->slots[at];
}
