/* Law L6: how many workers are under repair at once: in the cluster, a node group, a zone, on one compute host, and
 * within an hour. What others repair, drain or boot takes a slot too, but not for ever. */
#include <stdlib.h>
#include <string.h>

#include "core/marks.h"
#include "core/plan.h"

/* Others get so long; after that their node is only one more that is down. Or a server that hangs in the cloud would
 * keep a budget of one from everybody else. */
#define OTHERS_MS (30 * MINUTE)

/* Under repair, and where. */
struct slot {
	const char *group, *zone, *host; /* "" unknown */
};
#define SIZES_KEPT 64
struct slots {
	struct slot *list;
	int count;
	struct place_size {
		int place; /* enum place */
		const char *name;
		int size;
	} sizes[SIZES_KEPT];
	int sizes_count;
};

static const char *host_of(const struct machine *machine)
{
	return machine != NULL ? machine->host_id : "";
}

static void take(struct slots *slots, const char *group, const char *zone, const char *host)
{
	slots->list[slots->count++] = (struct slot){ group, zone, host };
}

/* Between two rungs of one climb the slot is kept, but not for ever: something else may hold the node back. A case that
 * pauses before its next attempt gives the slot to others, and asks for one again when the pause is over. */
static bool uses_slot(const struct record *record, const struct ops *ops, struct mono now)
{
	if (ops_of_node_const(ops, record->node) != NULL)
		return true;
	return record->is_climbing && record->is_bad_now && now.ms - record->repaired.ms < OTHERS_MS;
}

/* Somebody else repairs, drains, or boots it. */
static bool is_others(const struct snapshot *snapshot, const struct policy *policy, const struct record *record,
		      const struct node *node, const struct machine *machine)
{
	if (!record->is_bad_now || snapshot->now.mono.ms - record->first_seen.ms > OTHERS_MS)
		return false;
	const struct mark *mark = mark_of_others(node);
	bool is_moving = machine != NULL && server_hold(machine) == HOLD_SERVER_BUSY;
	bool is_booting = !node_is_grown(node, record, policy, snapshot->now);
	return node->deleted.ms != 0 || (mark != NULL && mark->is_repair) || is_moving || is_booting;
}

static struct slots count_slots(const struct snapshot *snapshot, const struct history *history,
				const struct policy *policy, const struct ops *ops, struct arena *arena,
				const struct plan *plan)
{
	/* Room for what is used and for every line that may be given one. */
	struct slots slots = { arena_array(arena, struct slot, history->count + ops->count + plan->count + 1) };
	for (size_t i = 0; i < history->count; i++) {
		const struct record *record = &history->records[i];
		const struct node *node = snapshot_node(snapshot, record->node);
		if (record->role != ROLE_WORKER || (!record->is_bad_now && !uses_slot(record, ops, snapshot->now.mono)))
			continue;
		const struct machine *machine = node != NULL ? match_node(snapshot, node).machine : NULL;
		bool is_used = uses_slot(record, ops, snapshot->now.mono) ||
			       (node != NULL && is_others(snapshot, policy, record, node, machine));
		if (is_used)
			take(&slots, node != NULL ? node->group : "", node != NULL ? node->zone : "", host_of(machine));
	}
	for (size_t i = 0; i < ops->count; i++) { /* the old Node is gone, and the new one is not there yet */
		const struct op_facts *facts = &ops->list[i].facts;
		if (facts->is_worker && history_find(history, facts->node) == NULL)
			take(&slots, facts->group, "", "");
	}
	return slots;
}

/* ---- limits -------------------------------------------------------------------------------------------------------
 */

enum place { IN_GROUP, IN_ZONE, ON_HOST };
static const char *const place_names[] = { [IN_GROUP] = "node group", [IN_ZONE] = "zone", [ON_HOST] = "host" };

static const char *place_of(const struct slot *slot, enum place place)
{
	return place == IN_GROUP ? slot->group : place == IN_ZONE ? slot->zone : slot->host;
}

static int count_place(const struct snapshot *snapshot, enum place place, const char *name)
{
	int size = 0;
	for (size_t i = 0; place == ON_HOST && i < snapshot->machines_count; i++)
		size += strcmp(snapshot->machines[i].host_id, name) == 0;
	for (size_t i = 0; place != ON_HOST && i < snapshot->nodes_count; i++) {
		const struct node *node = snapshot->nodes[i];
		size += node->role == ROLE_WORKER && !node->is_phantom &&
			strcmp(place == IN_GROUP ? node->group : node->zone, name) == 0;
	}
	return size;
}

/* Workers (servers, for a host) that share the place. Counted once a turn: hundreds may ask for the same. */
static int size_of(struct slots *slots, const struct snapshot *snapshot, enum place place, const char *name)
{
	for (int i = 0; i < slots->sizes_count; i++) {
		if (slots->sizes[i].place == (int)place && strcmp(slots->sizes[i].name, name) == 0)
			return slots->sizes[i].size;
	}
	int size = count_place(snapshot, place, name);
	if (slots->sizes_count < SIZES_KEPT)
		slots->sizes[slots->sizes_count++] = (struct place_size){ (int)place, name, size };
	return size;
}

/* NULL: there is room; else which budget is used up. */
static const char *place_is_full(const struct snapshot *snapshot, const struct policy *policy, struct slots *slots,
				 const struct slot *wanted, struct arena *arena)
{
	const struct limit limits[] = {
		[IN_GROUP] = policy->max_per_group, [IN_ZONE] = policy->max_per_zone, [ON_HOST] = policy->max_per_host
	};
	for (enum place place = IN_GROUP; place <= ON_HOST; place++) {
		const char *name = place_of(wanted, place);
		if (limits[place].value == 0 || name[0] == '\0')
			continue;
		int used = 0;
		for (int i = 0; i < slots->count; i++)
			used += strcmp(place_of(&slots->list[i], place), name) == 0;
		int limit = limit_of(limits[place], size_of(slots, snapshot, place, name));
		if (used >= limit)
			return arena_printf(arena, "%d of %d in %s %.60s", used, limit, place_names[place], name);
	}
	return NULL;
}

/* Cases that have begun go on first, then the oldest; by name in the end, so that runs are repeatable. */
static int by_urgency(const void *a, const void *b)
{
	const struct line *x = *(const struct line *const *)a;
	const struct line *y = *(const struct line *const *)b;
	if (x->record->has_acted != y->record->has_acted)
		return x->record->has_acted ? -1 : 1;
	if (x->record->opened.ms != y->record->opened.ms)
		return x->record->opened.ms < y->record->opened.ms ? -1 : 1;
	return strcmp(x->node->name, y->node->name);
}

static void spend_on_worker(const struct snapshot *snapshot, const struct policy *policy, const struct ops *ops,
			    int limit, int *hourly_left, struct arena *arena, struct slots *slots, struct line *line)
{
	struct slot wanted = { line->node->group, line->node->zone, host_of(line->match.machine) };
	bool has_slot = uses_slot(line->record, ops, snapshot->now.mono);
	const char *full = NULL;
	if (!has_slot && slots->count >= limit)
		full = arena_printf(arena, "%d of %d", slots->count, limit);
	else if (!has_slot)
		full = place_is_full(snapshot, policy, slots, &wanted, arena);
	if (full != NULL) {
		line->hold = HOLD_BUDGET;
		line->detail = full;
	} else if (policy->max_repairs_per_hour > 0 && *hourly_left <= 0) {
		line->hold = HOLD_RATE;
		line->detail = arena_printf(arena, "%d", policy->max_repairs_per_hour);
	} else {
		--*hourly_left;
		if (!has_slot)
			take(slots, wanted.group, wanted.zone, wanted.host);
	}
}

/* Repairs of workers that are still to be counted for the hour. */
static int count_unbegun(const struct ops *ops)
{
	int count = 0;
	for (size_t i = 0; i < ops->count; i++) {
		const struct op *op = &ops->list[i];
		count += op->facts.is_worker && op->rung != RUNG_UNCORDON && !op->is_counted;
	}
	return count;
}

void budget_spend(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
		  const struct ops *ops, struct arena *arena, struct plan *plan)
{
	struct line **order = arena_array(arena, struct line *, plan->count + 1);
	size_t count = 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->lines[i].hold == HOLD_NONE)
			order[count++] = &plan->lines[i];
	}
	if (count == 0)
		return;
	qsort(order, count, sizeof(struct line *), by_urgency);
	struct masters masters = masters_count(snapshot, ops);
	struct slots slots = count_slots(snapshot, history, policy, ops, arena, plan);
	/* Where no worker has joined yet, the first may still be replaced. */
	int workers = plan->total[ROLE_WORKER] > 0 ? (int)plan->total[ROLE_WORKER] : 1;
	int limit = limit_of(policy->max_concurrent_repairs, workers);
	struct mono hour_ago = { snapshot->now.mono.ms - HOUR };
	int hourly_left = policy->max_repairs_per_hour - history_begun_since(history, hour_ago) - count_unbegun(ops);
	for (size_t i = 0; i < count; i++) {
		if (order[i]->node->role == ROLE_MASTER)
			order[i]->hold = masters_hold(&masters, order[i]);
		else
			spend_on_worker(snapshot, policy, ops, limit, &hourly_left, arena, &slots, order[i]);
	}
}
