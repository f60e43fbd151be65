/* Any bytes as pauses.json, and any bytes as the annotation of a node: what is understood can be written again and
 * holds the same nodes when it is read once more; what is not pauses everything. */
#include "core/switches.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wall now = { INT64_C(1795000000000) };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_hold(const struct switches *switches, const struct node *node, struct arena *arena)
{
	bool is_paused = switches_is_paused(switches, node, now);
	const char *why = switches_hold(switches, node, now, arena);
	must(is_paused == (why != NULL));
	must(why == NULL || (why[0] != '\0' && strlen(why) < 700));
}

static void check_document(struct str text, struct arena *arena)
{
	struct switches first;
	struct switches again;
	struct err err = { 0 };
	struct node node = { .name = "n", .group = "g" };
	bool is_read = switches_read(text, &first, &err);
	must(is_read == !first.is_garbled && is_read == (err.code == ERR_NONE));
	check_hold(&first, NULL, arena);
	check_hold(&first, &node, arena);
	if (!is_read) {
		must(first.count == 0 && first.trouble[0] != '\0');
		must(switches_is_paused(&first, NULL, now));
		return;
	}
	must(first.count <= PAUSES_MAX);
	struct buf out;
	buf_init(&out, (size_t)1 << 20);
	switches_write(&first, now, &out);
	must(!out.is_over);
	must(switches_read(buf_str(&out), &again, &err));
	must(again.count <= first.count);
	must(switches_is_paused(&first, NULL, now) == switches_is_paused(&again, NULL, now));
	must(switches_is_paused(&first, &node, now) == switches_is_paused(&again, &node, now));
	buf_done(&out);
}

static void check_annotation(struct str text, struct arena *arena)
{
	static const struct switches none;
	char *value = arena_alloc(arena, text.n + 1);
	if (text.n > 0)
		memcpy(value, text.p, text.n);
	struct annotation paused = { ANNOTATION_PAUSED, value };
	struct node node = { .name = "n", .group = "", .annotations = &paused, .annotations_count = 1 };
	check_hold(&none, &node, arena);
	must(!switches_is_paused(&none, NULL, now));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	arena_init(&arena);
	struct str text = { (const char *)data, size };
	check_document(text, &arena);
	check_annotation(text, &arena);
	arena_done(&arena);
	return 0;
}
