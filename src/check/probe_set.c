/* Whom there is to ask, and in which order: the targets in a hash table, their probes in a heap by due time, and
 * tallies of what was heard lately. */
#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "check/probe_int.h"

#define FIRST_MS_MAX (10 * SEC) /* a new node is asked soon */

/* ---- keys ---- */

static uint64_t mixed(uint64_t h)
{
	h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
	return h ^ (h >> 31);
}

static void key_add(struct node_key *key, const char *text)
{
	size_t n = strlen(text) + 1; /* with its end, so that "a","bc" is not "ab","c" */
	while (n > 0) {
		uint64_t word = 0;
		size_t take = n < sizeof word ? n : sizeof word;
		memcpy(&word, text, take);
		key->a = mixed(key->a ^ word);
		key->b = mixed((key->b + word) * UINT64_C(0x9e3779b97f4a7c15));
		text += take;
		n -= take;
	}
}

struct node_key node_key(const struct node *node)
{
	struct node_key key = { .a = (uint64_t)node->role + 1, .b = 2 };
	key_add(&key, node->name);
	key_add(&key, node->uid);
	key_add(&key, node->internal_ip);
	return key;
}

static bool key_same(struct node_key a, struct node_key b)
{
	return a.a == b.a && a.b == b.b;
}

/* ---- the heap ---- */

static void heap_put(struct heap *heap, size_t at, struct probe *probe)
{
	heap->list[at] = probe;
	probe->heap_at = (uint32_t)at;
}

static void heap_up(struct heap *heap, size_t at, struct probe *probe)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;
		if (heap->list[parent]->due_ms <= probe->due_ms)
			break;
		heap_put(heap, at, heap->list[parent]);
		at = parent;
	}
	heap_put(heap, at, probe);
}

static void heap_down(struct heap *heap, size_t at, struct probe *probe)
{
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && heap->list[child + 1]->due_ms < heap->list[child]->due_ms)
			child++;
		if (probe->due_ms <= heap->list[child]->due_ms)
			break;
		heap_put(heap, at, heap->list[child]);
		at = child;
	}
	heap_put(heap, at, probe);
}

void heap_push(struct probes *probes, struct probe *probe, int64_t due_ms)
{
	probe->lane = probe_is_silent(probe) ? LANE_SILENT : LANE_ANSWERING;
	struct heap *heap = &probes->lanes[probe->lane];
	assert(probe->heap_at == HEAP_NONE && heap->count < probes->probes_cap);
	probe->due_ms = due_ms;
	heap_up(heap, heap->count++, probe);
}

void heap_remove(struct probes *probes, struct probe *probe)
{
	struct heap *heap = &probes->lanes[probe->lane];
	size_t at = probe->heap_at;
	if (at == HEAP_NONE)
		return;
	probe->heap_at = HEAP_NONE;
	struct probe *last = heap->list[--heap->count];
	if (last == probe)
		return;
	if (at > 0 && last->due_ms < heap->list[(at - 1) / 2]->due_ms)
		heap_up(heap, at, last);
	else
		heap_down(heap, at, last);
}

/* ---- tallies ---- */

static bool is_cut_off(const struct probe *probe)
{
	return probe_is_silent(probe) && target_of(probe)->is_reporting;
}

void tally_out(struct probes *probes, struct probe *probe)
{
	if (!probe->is_counted)
		return;
	struct kind *kind = kind_of(probes, probe);
	TAILQ_REMOVE(&kind->heard, probe, link);
	kind->heard_count--;
	kind->cut_off_count -= is_cut_off(probe);
	probe->is_counted = false;
}

void tally_in(struct probes *probes, struct probe *probe)
{
	assert(!probe->is_counted);
	if (probe->health == HEALTH_UNKNOWN)
		return;
	struct kind *kind = kind_of(probes, probe);
	TAILQ_INSERT_TAIL(&kind->heard, probe, link);
	kind->heard_count++;
	kind->cut_off_count += is_cut_off(probe);
	probe->is_counted = true;
}

void tally_forget_stale(struct probes *probes, struct mono now)
{
	for (int role = 0; role < ROLES_COUNT; role++) {
		for (size_t i = 0; i < probes->kinds_count[role]; i++) {
			struct kind *kind = &probes->kinds[role][i];
			struct probe *oldest = NULL;
			while ((oldest = TAILQ_FIRST(&kind->heard)) != NULL &&
			       now.ms - oldest->heard_ms > kind->stale_ms)
				tally_out(probes, oldest);
		}
	}
}

static void set_reporting(struct probes *probes, struct target *target, bool is_reporting, struct mono now)
{
	if (target->is_reporting == is_reporting)
		return;
	/* From now on its silence has to be explained anew: who answered us before does not show that we hear now. */
	for (size_t i = 0; is_reporting && i < probes->kinds_count[target->role]; i++) {
		struct trouble *trouble = target->probes[i].trouble;
		if (trouble != NULL && trouble->silent_ms != 0)
			trouble->silent_ms = now.ms != 0 ? now.ms : 1;
	}
	/* Their place in the list, by the time of the answer, stays. */
	for (size_t i = 0; i < probes->kinds_count[target->role]; i++) {
		struct probe *probe = &target->probes[i];
		if (probe->is_counted)
			probes->kinds[target->role][i].cut_off_count -= is_cut_off(probe);
	}
	target->is_reporting = is_reporting;
	for (size_t i = 0; i < probes->kinds_count[target->role]; i++) {
		struct probe *probe = &target->probes[i];
		if (probe->is_counted)
			probes->kinds[target->role][i].cut_off_count += is_cut_off(probe);
	}
}

/* ---- candidates for a mark ---- */

bool mark_parse(const char *text, struct wall *out)
{
	char copy[20];
	if (text == NULL || !TEXT_COPY(copy, text) || strlen(copy) != 19 || copy[10] != ' ')
		return false;
	copy[10] = 'T';
	return wall_parse(str_of(copy), out) && out->ms > 0;
}

bool mark_is_wanted_of(struct probes *probes, const struct probe *probe)
{
	const char *key = kind_of(probes, probe)->conf->unhealthy_annotation;
	if (key == NULL || key[0] == '\0')
		return false;
	if (probe->health == HEALTH_BAD)
		return !probe->is_marked || probe->is_mark_garbled;
	return probe->health == HEALTH_OK && probe->is_marked;
}

void mark_consider(struct probes *probes, struct probe *probe)
{
	if (probe->marks_at != MARKS_NONE || !mark_is_wanted_of(probes, probe))
		return;
	assert(probes->marks_count < probes->probes_cap);
	probe->marks_at = (uint32_t)probes->marks_count;
	probes->marks[probes->marks_count++] = probe;
}

void mark_drop(struct probes *probes, struct probe *probe)
{
	if (probe->marks_at == MARKS_NONE)
		return;
	struct probe *last = probes->marks[--probes->marks_count];
	probes->marks[probe->marks_at] = last;
	last->marks_at = probe->marks_at;
	probe->marks_at = MARKS_NONE;
}

static void see_marks(struct probes *probes, struct target *target, const struct node *node)
{
	for (size_t i = 0; i < probes->kinds_count[target->role]; i++) {
		struct probe *probe = &target->probes[i];
		const char *key = probes->kinds[target->role][i].conf->unhealthy_annotation;
		const char *value = key != NULL ? node_annotation(node, key) : NULL;
		struct wall at;
		probe->is_marked = value != NULL;
		probe->is_mark_garbled = value != NULL && !mark_parse(value, &at);
		mark_consider(probes, probe);
	}
}

/* ---- targets ---- */

static size_t table_slot(const struct probes *probes, struct node_key key)
{
	size_t at = key.a & (probes->table_size - 1);
	while (probes->table[at] != NULL && !key_same(probes->table[at]->key, key))
		at = (at + 1) & (probes->table_size - 1);
	return at;
}

struct target *targets_find(const struct probes *probes, struct node_key key)
{
	return probes->table_size > 0 ? probes->table[table_slot(probes, key)] : NULL;
}

/* Puts those that stay into a table of that size. */
static void table_rebuild(struct probes *probes, size_t size)
{
	struct target **old = probes->table;
	size_t old_size = probes->table_size;
	probes->table = xcalloc(size, sizeof(struct target *));
	probes->table_size = size;
	for (size_t i = 0; i < old_size; i++) {
		if (old[i] != NULL)
			probes->table[table_slot(probes, old[i]->key)] = old[i];
	}
	free(old);
}

static void table_insert(struct probes *probes, struct target *target)
{
	if (2 * (probes->targets_count + 1) > probes->table_size)
		table_rebuild(probes, probes->table_size > 0 ? 2 * probes->table_size : 64);
	probes->table[table_slot(probes, target->key)] = target;
	probes->targets_count++;
	probes->probes_count += probes->kinds_count[target->role];
	if (probes->probes_count > probes->probes_cap) {
		probes->probes_cap = 2 * probes->probes_count;
		for (int lane = 0; lane < LANES_COUNT; lane++)
			probes->lanes[lane].list =
				xrealloc(probes->lanes[lane].list, probes->probes_cap * sizeof(struct probe *));
		probes->marks = xrealloc(probes->marks, probes->probes_cap * sizeof(struct probe *));
	}
}

static bool read_address(const char *text, struct target *target)
{
	target->is_ipv6 = strchr(text, ':') != NULL;
	return inet_pton(target->is_ipv6 ? AF_INET6 : AF_INET, text, target->address) == 1;
}

static uint64_t phase_of(const struct probe *probe, uint64_t below)
{
	return mixed(target_of(probe)->key.a + probe->slot) % below;
}

int64_t probe_turn_ms(const struct probes *probes, const struct probe *probe, struct mono now)
{
	int64_t interval = probes->interval_ms;
	int64_t since = now.ms % interval; /* of the clock's last whole interval */
	int64_t at = now.ms - since + (int64_t)phase_of(probe, (uint64_t)interval);
	while (at <= now.ms || at < now.ms + interval / 2)
		at += interval;
	return at;
}

static struct target *target_new(struct probes *probes, const struct node *node, struct node_key key, struct mono now)
{
	size_t count_of = probes->kinds_count[node->role];
	struct target *target = xcalloc(1, sizeof *target + count_of * sizeof(struct probe));
	target->key = key;
	target->role = (uint8_t)node->role;
	if (!read_address(node->internal_ip, target)) {
		free(target);
		return NULL;
	}
	table_insert(probes, target);
	int64_t soon_ms = probes->interval_ms < FIRST_MS_MAX ? probes->interval_ms : FIRST_MS_MAX;
	for (size_t i = 0; i < count_of; i++) {
		struct probe *probe = &target->probes[i];
		probe->slot = (uint8_t)i;
		probe->heap_at = HEAP_NONE;
		probe->marks_at = MARKS_NONE;
		probes->kinds[target->role][i].targets_count++;
		heap_push(probes, probe, now.ms + (int64_t)phase_of(probe, (uint64_t)soon_ms));
	}
	return target;
}

static void target_free(struct probes *probes, struct target *target)
{
	for (size_t i = 0; i < probes->kinds_count[target->role]; i++) {
		struct probe *probe = &target->probes[i];
		heap_remove(probes, probe);
		tally_out(probes, probe);
		mark_drop(probes, probe);
		for (size_t f = 0; f < PROBES_AT_ONCE; f++) {
			if (probes->flights[f].probe == probe)
				probes->flights[f].probe = NULL; /* its answer will find nobody */
		}
		free(probe->trouble);
		probes->kinds[target->role][i].targets_count--;
	}
	probes->probes_count -= probes->kinds_count[target->role];
	probes->targets_count--;
	free(target);
}

void targets_free(struct probes *probes)
{
	for (size_t i = 0; i < probes->table_size; i++) {
		if (probes->table[i] != NULL)
			target_free(probes, probes->table[i]);
	}
	free(probes->table);
	for (int lane = 0; lane < LANES_COUNT; lane++)
		free(probes->lanes[lane].list);
	free(probes->marks);
}

static void sweep(struct probes *probes)
{
	for (size_t i = 0; i < probes->table_size; i++) {
		struct target *target = probes->table[i];
		if (target != NULL && target->round != probes->round) {
			target_free(probes, target);
			probes->table[i] = NULL;
		}
	}
	/* The chains are broken now; and the table shrinks with what it holds. */
	size_t size = 64;
	while (size < 4 * probes->targets_count)
		size *= 2;
	table_rebuild(probes, size);
}

static bool is_reporting(const struct node *node)
{
	const struct condition *ready = node_condition(node, "Ready");
	return ready != NULL && ready->status != STATUS_UNKNOWN;
}

void probes_nodes(struct probes *probes, const struct node *const *nodes, size_t count_of, struct mono now)
{
	size_t seen = 0;
	probes->round++;
	for (size_t i = 0; i < count_of; i++) {
		const struct node *node = nodes[i];
		if (probes->kinds_count[node->role] == 0 || node->is_phantom || node->internal_ip[0] == '\0')
			continue;
		struct node_key key = node_key(node);
		struct target *target = targets_find(probes, key);
		if (target == NULL && (target = target_new(probes, node, key, now)) == NULL)
			continue;
		seen += target->round != probes->round;
		target->round = probes->round;
		target->index = (uint32_t)i;
		set_reporting(probes, target, is_reporting(node), now);
		see_marks(probes, target, node);
	}
	if (seen != probes->targets_count)
		sweep(probes);
}
