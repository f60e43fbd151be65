/* Any bytes as the journal. What is taken keeps the promises of the header, can be written again, and says the same
 * when it is read once more. */
#include "core/journal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct step steps[] = {
	{ .name = "look" },
	{ .name = "act", .is_once = true, .look = "look", .is_committed = true },
	{ .name = "wait" },
};
static const struct recipe recipe = { "replace", steps, 3, 3 * HOUR };
static const struct now now = { { 5 * HOUR }, { INT64_C(1795000000000) } };

static const struct recipe *find(const void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, recipe.name) == 0 ? &recipe : NULL;
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check(const struct history *history, const struct ops *ops)
{
	must(history->count <= RECORDS_MAX && history->past_count <= PAST_MAX && ops->count <= OPS_MAX);
	for (size_t i = 0; i < history->count; i++) {
		const struct record *r = &history->records[i];
		must(history_find(history, r->node) == r && r->node[0] != '\0');
		must(r->attempts >= 0 && r->rung_tries >= 0);
		must(r->opened.ms <= now.mono.ms && r->first_seen.ms <= now.mono.ms && r->ok_since.ms <= now.mono.ms &&
		     r->repaired.ms <= now.mono.ms && r->next_try.ms <= now.mono.ms + 24 * HOUR);
	}
	for (size_t i = 0; i < ops->count; i++) {
		must(ops_of_node_const(ops, ops->list[i].facts.node) == &ops->list[i]);
		must(ops->list[i].state == OP_DUE && !(op_step(&ops->list[i])->is_once && ops->list[i].is_sent));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ops ops[2]; /* large */
	struct journal journals[2] = { 0 };
	struct history histories[2];
	struct buf texts[2];
	struct str text = { (const char *)data, size };
	bool is_read = true;
	for (int i = 0; i < 2 && is_read; i++) {
		struct err err = { 0 };
		ops[i].count = 0;
		history_init(&histories[i]);
		buf_init(&texts[i], (size_t)16 << 20);
		is_read = journal_read(text, find, NULL, now, &journals[i], &histories[i], &ops[i], &err);
		must(is_read || (err.code != ERR_NONE && i == 0));
		if (is_read) {
			check(&histories[i], &ops[i]);
			must(journal_write(&journals[i], &histories[i], &ops[i], now, &texts[i]));
			text = buf_str(&texts[i]);
		}
		if (i == 1)
			must(texts[0].n == texts[1].n && memcmp(texts[0].p, texts[1].p, texts[0].n) == 0);
		if (i == 1 || !is_read) {
			for (int k = 0; k <= i; k++) {
				buf_done(&texts[k]);
				history_done(&histories[k]);
				journal_done(&journals[k]);
			}
		}
	}
	return 0;
}
