/* The brake: it only ever removes actions, it has the last word, and each removal carries its reason. */
#include <stdlib.h>
#include <string.h>

#include "core/plan.h"

/* Fewer of the nodes' servers than this share in the cloud's listing: the listing is not believed. */
#define MATCHED_PERCENT_MIN 50

int quorum_of(int members)
{
	return members / 2 + 1;
}

static bool is_young(const struct node *node, const struct policy *policy, struct now now)
{
	return node->created.ms > 0 && now.wall.ms - node->created.ms < policy->check_delay_after_add_ms;
}

static bool has_taint(const struct node *node, const char *key)
{
	for (size_t i = 0; i < node->taints_count; i++) {
		if (strcmp(node->taints[i].key, key) == 0)
			return true;
	}
	return false;
}

/* Somebody else is at work on the cluster. Our own replacement makes it busy too; then the ops queue by their lock. */
static bool is_busy_by_others(const struct snapshot *snapshot, const struct ops *ops)
{
	if (!cluster_is_busy(snapshot->cluster))
		return false;
	for (size_t i = 0; i < ops->count; i++) {
		if (ops->list[i].holds_lock && ops->list[i].is_committed) /* its update has left, and is what is seen */
			return false;
	}
	return true;
}

static enum hold cluster_hold(const struct snapshot *snapshot, const struct ops *ops)
{
	const struct cluster_view *cluster = snapshot->cluster;
	if (!cluster->is_known || !snapshot->is_cloud_fresh)
		return HOLD_CLOUD_STALE;
	if (!cluster->is_healing_enabled)
		return HOLD_DISABLED;
	if (is_busy_by_others(snapshot, ops))
		return HOLD_CLUSTER_BUSY;
	if (!cluster_is_busy(cluster) && !cluster_is_settled(cluster))
		return HOLD_CLUSTER_STATE;
	return HOLD_NONE;
}

enum hold brake_gate(const struct snapshot *snapshot, const struct policy *policy, const struct op *op)
{
	if (!snapshot->is_leader)
		return HOLD_STANDBY;
	if (policy->is_dry_run)
		return HOLD_DRY_RUN;
	if (!snapshot->is_nodes_fresh)
		return HOLD_VIEW_STALE;
	if (snapshot->has_clock_jumped)
		return HOLD_CLOCK;
	if (!snapshot->is_journal_safe)
		return HOLD_JOURNAL;
	if (op != NULL && op->is_committed)
		return HOLD_NONE; /* finishing is safer than stopping */
	/* Also an op that another leader began: the cloud has to be seen first, and may have been switched off
	 * meanwhile. */
	if (!snapshot->cluster->is_known || !snapshot->is_cloud_fresh)
		return HOLD_CLOUD_STALE;
	return snapshot->cluster->is_healing_enabled ? HOLD_NONE : HOLD_DISABLED;
}

/* What holds every node of the cluster. A dry run is not here: it comes last, so that it shows what else would hold. */
static enum hold global_hold(const struct snapshot *snapshot, const struct history *history,
			     const struct policy *policy, const struct ops *ops, const struct plan *plan)
{
	if (!snapshot->is_leader)
		return HOLD_STANDBY;
	if (!snapshot->is_nodes_fresh)
		return HOLD_VIEW_STALE;
	if (snapshot->has_clock_jumped)
		return HOLD_CLOCK;
	if (!snapshot->is_journal_safe)
		return HOLD_JOURNAL;
	enum hold hold = cluster_hold(snapshot, ops);
	if (hold != HOLD_NONE)
		return hold;
	if (plan->is_storm)
		return HOLD_STORM;
	if (history->storm_at.ms != 0 && snapshot->now.mono.ms - history->storm_at.ms < policy->storm_cooldown_ms)
		return HOLD_COOLDOWN;
	return HOLD_NONE;
}

/* A listing in which most of the nodes' servers are missing is more likely wrong than true. */
static bool is_listing_suspect(const struct snapshot *snapshot)
{
	size_t matched = 0;
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		if (match_node(snapshot, snapshot->nodes[i]).machine != NULL)
			matched++;
	}
	return snapshot->nodes_count > 1 && matched * 100 < snapshot->nodes_count * MATCHED_PERCENT_MIN;
}

static enum hold node_hold(const struct snapshot *snapshot, const struct policy *policy, const struct line *line)
{
	const struct record *record = line->record;
	if (record->state == CASE_GIVEN_UP)
		return HOLD_GIVEN_UP;
	if (record->state == CASE_SUSPECT || !record->is_unhealthy)
		return HOLD_DURATION;
	if (line->node->deleted.ms != 0)
		return HOLD_DELETED;
	if (has_taint(line->node, "ToBeDeletedByClusterAutoscaler"))
		return HOLD_AUTOSCALER;
	/* The node that came of a repair is young again, but its case is not. A young server is somebody's new one. */
	const struct machine *machine = line->match.machine;
	bool is_new_server = machine != NULL && machine->created.ms > 0 &&
			     snapshot->now.wall.ms - machine->created.ms < policy->check_delay_after_add_ms;
	if (!record->has_acted && (is_young(line->node, policy, snapshot->now) || is_new_server))
		return HOLD_YOUNG;
	if (record->next_try.ms != 0 && snapshot->now.mono.ms < record->next_try.ms)
		return HOLD_BACKOFF;
	return HOLD_NONE;
}

struct masters {
	int total, healthy;
	bool is_one_under_repair;
};

/* Unknown is not unhealthy, but a quorum is only counted of masters that are seen to be well. */
static bool is_well(const struct snapshot *snapshot, const struct node *node)
{
	const struct checker *checker = snapshot->checker;
	bool is_ok = false;
	for (size_t i = 0; i < checker->count[node->role]; i++) {
		enum health health = checker->find(checker->ctx, i, node, snapshot->now.wall, NULL);
		if (health == HEALTH_BAD)
			return false;
		is_ok = is_ok || health == HEALTH_OK;
	}
	return is_ok;
}

static struct masters count_masters(const struct snapshot *snapshot, const struct ops *ops)
{
	struct masters masters = { 0 };
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct node *node = snapshot->nodes[i];
		if (node->role != ROLE_MASTER)
			continue;
		bool is_under_repair = ops_of_node_const(ops, node->name) != NULL;
		masters.total++;
		masters.is_one_under_repair = masters.is_one_under_repair || is_under_repair;
		if (!is_under_repair && is_well(snapshot, node))
			masters.healthy++;
	}
	return masters;
}

static enum hold master_hold(struct masters *masters, const struct line *line)
{
	if (masters->is_one_under_repair)
		return HOLD_MASTER_BUSY;
	/* The only master may be rebooted: there is no quorum to lose beside its own. */
	bool is_single_reboot = masters->total == 1 && line->rung != RUNG_REPLACE;
	if (!is_single_reboot && masters->healthy < quorum_of(masters->total))
		return HOLD_QUORUM;
	masters->is_one_under_repair = true;
	return HOLD_NONE;
}

/* Under repair, or between two rungs of one climb: its slot is taken. A case that pauses before its next attempt gives
 * the slot to others, and asks for one again when the pause is over. */
static bool uses_slot(const struct record *record, const struct ops *ops)
{
	if (ops_of_node_const(ops, record->node) != NULL)
		return true;
	return record->is_climbing && record->is_bad_now;
}

static int count_slots(const struct history *history, const struct ops *ops)
{
	int used = 0;
	for (size_t i = 0; i < history->count; i++) {
		if (history->records[i].role == ROLE_WORKER && uses_slot(&history->records[i], ops))
			used++;
	}
	for (size_t i = 0; i < ops->count;
	     i++) { /* replacements whose old Node is gone and whose new one is not there yet */
		if (ops->list[i].facts.is_worker && history_find(history, ops->list[i].facts.node) == NULL)
			used++;
	}
	return used;
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

static void hold(struct line *line, enum hold why)
{
	if (line->hold == HOLD_NONE)
		line->hold = why;
}

static void spend_budget(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
			 const struct ops *ops, struct arena *arena, struct plan *plan)
{
	struct line **order = arena_array(arena, struct line *, plan->count + 1);
	size_t count = 0;
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->lines[i].hold == HOLD_NONE)
			order[count++] = &plan->lines[i];
	}
	qsort(order, count, sizeof(struct line *), by_urgency);
	struct masters masters = count_masters(snapshot, ops);
	int limit = limit_of(policy->max_concurrent_repairs, (int)plan->total[ROLE_WORKER]);
	int used = count_slots(history, ops);
	for (size_t i = 0; i < count; i++) {
		if (order[i]->record->role == ROLE_MASTER) {
			order[i]->hold = master_hold(&masters, order[i]);
		} else if (!uses_slot(order[i]->record, ops)) {
			if (used >= limit) {
				order[i]->hold = HOLD_BUDGET;
				order[i]->detail = arena_printf(arena, "%d of %d", used, limit);
			} else {
				used++;
			}
		}
	}
}

/* A node that registered anew under another name leaves its old Node behind, NotReady for ever, on a server that is
 * well. */
static void hold_shared_servers(const struct snapshot *snapshot, struct plan *plan)
{
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct machine *machine = match_node(snapshot, snapshot->nodes[i]).machine;
		for (size_t k = 0; k < plan->count && machine != NULL; k++) {
			struct line *line = &plan->lines[k];
			if (line->hold == HOLD_NONE && line->match.machine == machine &&
			    line->node != snapshot->nodes[i]) {
				line->hold = HOLD_NO_SERVER;
				line->detail = "another Node runs on the same server";
			}
		}
	}
}

void brake_apply(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
		 const struct ops *ops, can_repair can, const void *ctx, struct arena *arena, struct plan *plan)
{
	enum hold global = global_hold(snapshot, history, policy, ops, plan);
	bool is_any_left = false;
	for (size_t i = 0; i < plan->count; i++) {
		struct line *line = &plan->lines[i];
		if (ops_of_node_const(ops, line->node->name) != NULL) {
			line->hold = HOLD_REPAIRING;
			continue;
		}
		enum hold server = line->hold; /* the ladder's: less telling than the node's own and the cluster's */
		line->hold = HOLD_NONE;
		hold(line, node_hold(snapshot, policy, line));
		hold(line, global);
		hold(line, server);
		const char *why = NULL;
		if (line->hold == HOLD_NONE && !can(ctx, line->rung, line->node, line->match.machine, &why)) {
			line->hold = HOLD_CANNOT;
			line->detail = why != NULL ? why : "";
		}
		if (line->hold == HOLD_NONE && line->match.machine != NULL &&
		    ops_has_server(ops, line->match.machine->id))
			line->hold = HOLD_SERVER_BUSY;
		is_any_left = is_any_left || line->hold == HOLD_NONE;
	}
	if (is_any_left) /* looks at every node: only when something is to be done */
		hold_shared_servers(snapshot, plan);
	bool is_suspect = is_any_left && is_listing_suspect(snapshot);
	for (size_t i = 0; i < plan->count && is_suspect; i++)
		hold(&plan->lines[i], HOLD_CLOUD_SUSPECT);
	spend_budget(snapshot, history, policy, ops, arena, plan);
	for (size_t i = 0; i < plan->count && policy->is_dry_run; i++)
		hold(&plan->lines[i], HOLD_DRY_RUN);
}

const char *brake_cancel(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
			 const struct op *op)
{
	if (!snapshot->is_nodes_fresh)
		return NULL; /* nothing leaves while the view is stale; whether it must end is not known */
	const struct node *node = snapshot_node(snapshot, op->facts.node);
	const struct record *record = history_find(history, op->facts.node);
	if (node == NULL)
		return "the Node is gone";
	if (record == NULL || !record->is_bad_now)
		return "the node is healthy again";
	if (node->deleted.ms != 0)
		return "the Node is being deleted";
	if (policy->is_dry_run)
		return "dry-run was switched on";
	if (snapshot->cluster->is_known && !snapshot->cluster->is_healing_enabled)
		return "healing was switched off";
	if (history->storm_at.ms != 0 && history->storm_at.ms == snapshot->now.mono.ms)
		return "too many nodes are unhealthy";
	return NULL;
}
