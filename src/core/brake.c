/* The brake: it only ever removes actions, it has the last word, and each removal carries its reason. Its parts:
 * outage.c (is it the nodes at all?), masters.c (quorum), budget.c (how many workers at once). */
#include <string.h>

#include "core/marks.h"
#include "core/plan.h"

/* Fewer of the nodes' servers than this share in the cloud's listing: the listing is not believed. */
#define MATCHED_PERCENT_MIN 50
/* A MachineHealthCheck is about to act, or has just acted: this long before its time and after. */
#define MHC_BEFORE_MS (2 * MINUTE)
#define MHC_AFTER_MS (10 * MINUTE)
/* What Masakari may need before a server of its own is touched. */
#define MASAKARI_MS (5 * MINUTE)

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

/* Paused, or not known whether: the cluster for node NULL. */
static enum hold switch_hold(const struct snapshot *snapshot, const struct node *node)
{
	if (!snapshot->is_switches_fresh)
		return HOLD_SWITCHES;
	return switches_is_paused(snapshot->switches, node, snapshot->now.wall) ? HOLD_PAUSED : HOLD_NONE;
}

/* Unknown is not unhealthy: right now some check must say that the node is bad (law L2). */
static bool is_proven_bad(const struct history *history, const struct op *op)
{
	const struct record *record = history_find(history, op->facts.node);
	if (op->rung == RUNG_UNCORDON)
		return true;
	/* Its first act waits for the whole verdict: after a gap in the view that may be taken back. */
	return record != NULL && record->is_bad_now && (op_has_acted(op) || op->is_touched || record->is_unhealthy);
}

enum hold brake_gate(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
		     const struct ops *ops, const struct op *op)
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
	if (snapshot->is_api_troubled && op != NULL && op->rung != RUNG_UNCORDON)
		return HOLD_API;
	enum hold hold = switch_hold(snapshot, op != NULL ? snapshot_node(snapshot, op->facts.node) : NULL);
	if (hold != HOLD_NONE)
		return hold;
	/* Also an op that another leader began: the cloud has to be seen first, and may have been switched off
	 * meanwhile. */
	if (!snapshot->cluster->is_known || !snapshot->is_cloud_fresh)
		return HOLD_CLOUD_STALE;
	if (!snapshot->cluster->is_healing_enabled)
		return HOLD_DISABLED;
	if (op != NULL && op->rung != RUNG_UNCORDON && is_busy_by_others(snapshot, ops))
		return HOLD_CLUSTER_BUSY;
	return op == NULL || is_proven_bad(history, op) ? HOLD_NONE : HOLD_WITNESSES;
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
	if (!snapshot->is_switches_fresh)
		return HOLD_SWITCHES;
	enum hold hold = cluster_hold(snapshot, ops);
	if (hold != HOLD_NONE)
		return hold;
	if (plan->outage.hold != HOLD_NONE)
		return plan->outage.hold;
	if (history->storm_at.ms != 0 && snapshot->now.mono.ms - history->storm_at.ms < policy->storm_cooldown_ms)
		return HOLD_COOLDOWN;
	return HOLD_NONE;
}

/* A listing in which most of the nodes' servers are missing is more likely wrong than true. */
static bool is_listing_suspect(const struct snapshot *snapshot)
{
	size_t matched = 0;
	size_t count = 0;
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		if (snapshot->nodes[i]->is_phantom) /* made of the listing itself */
			continue;
		count++;
		matched += match_node(snapshot, snapshot->nodes[i]).machine != NULL;
	}
	return count > 1 && matched * 100 < count * MATCHED_PERCENT_MIN;
}

static void hold(struct line *line, enum hold why, const char *detail)
{
	if (line->hold != HOLD_NONE || why == HOLD_NONE)
		return;
	line->hold = why;
	line->detail = detail;
}

/* ---- one node -----------------------------------------------------------------------------------------------------
 */

/* Of the repairs so far: how the last one ended, and why nothing stronger follows. */
static const char *what_came(struct arena *arena, const struct line *line)
{
	const char *note = line->record->last_note;
	return arena_printf(arena, "%s%s%s", note, note[0] != '\0' && line->beyond[0] != '\0' ? "; " : "",
			    line->beyond);
}

/* The verdict: is it unhealthy at all? */
static void hold_verdict(const struct snapshot *snapshot, struct arena *arena, struct line *line)
{
	const struct record *record = line->record;
	const char *pause = switches_hold(snapshot->switches, line->node, snapshot->now.wall, arena);
	if (pause != NULL)
		hold(line, HOLD_PAUSED, pause);
	if (record->state == CASE_GIVEN_UP)
		hold(line, HOLD_GIVEN_UP, what_came(arena, line));
	if (record->is_disputed && !record->is_unhealthy)
		hold(line, HOLD_WITNESSES, arena_strdup(arena, record->why));
	if (record->state == CASE_SUSPECT || !record->is_unhealthy)
		hold(line, HOLD_DURATION, "");
}

/* The machine is replaced by Cluster API itself when it has been NotReady for long enough. What we do has to be over by
 * then, or comes after it has not acted. */
static bool is_machine_health_checks(const struct snapshot *snapshot, const struct policy *policy,
				     const struct line *line)
{
	if (policy->mhc_timeout_ms == 0 || node_annotation(line->node, ANNOTATION_CAPI_MACHINE) == NULL)
		return false;
	int64_t bad_ms = snapshot->now.mono.ms - record_bad_from(line->record).ms;
	return bad_ms > policy->mhc_timeout_ms - MHC_BEFORE_MS && bad_ms < policy->mhc_timeout_ms + MHC_AFTER_MS;
}

/* What belongs to others is left alone (law L11). */
static void hold_others(const struct snapshot *snapshot, const struct policy *policy, struct line *line)
{
	const struct record *record = line->record;
	const struct machine *machine = line->match.machine;
	if (line->node->deleted.ms != 0)
		hold(line, HOLD_DELETED, "");
	const struct mark *mark = mark_of_others(line->node);
	if (mark != NULL)
		hold(line, mark->hold, mark->who);
	if (is_machine_health_checks(snapshot, policy, line))
		hold(line, HOLD_MACHINE_HEALTH_CHECK, "");
	/* Masters are cordoned for good in some clusters. */
	bool is_cordoned = line->node->is_cordoned && line->node->cordon_mark[0] == '\0';
	if (is_cordoned && line->node->role == ROLE_WORKER && !policy->is_cordoned_healed)
		hold(line, HOLD_CORDONED, "");
	if (machine != NULL && machine->has_ha && !record->has_acted &&
	    snapshot->now.mono.ms - record->opened.ms < MASAKARI_MS)
		hold(line, HOLD_MASAKARI, "");
}

/* Not yet. */
static void hold_time(const struct snapshot *snapshot, const struct policy *policy, struct arena *arena,
		      struct line *line)
{
	const struct record *record = line->record;
	const struct machine *machine = line->match.machine;
	struct now now = snapshot->now;
	/* The node that came of a repair is young again, but its case is not. A young server is somebody's new one. */
	bool is_new_server = machine != NULL && machine->created.ms > 0 &&
			     now.wall.ms - machine->created.ms < policy->check_delay_after_add_ms;
	if (!record->has_acted && (!node_is_grown(line->node, record, policy, now) || is_new_server))
		hold(line, HOLD_YOUNG, "");
	if (record->left_until.ms != 0 && now.mono.ms < record->left_until.ms)
		hold(line, HOLD_LEFT, arena_strdup(arena, record->last_note));
	if (record->next_try.ms != 0 && now.mono.ms < record->next_try.ms)
		hold(line, HOLD_BACKOFF, what_came(arena, line));
}

static void hold_zone(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
		      const struct plan *plan, struct line *line)
{
	const struct frozen_zone *zone = outage_zone(&plan->outage, line->node->zone);
	if (zone != NULL) {
		hold(line, HOLD_ZONE, zone->detail);
		return;
	}
	struct mono at = line->node->zone[0] != '\0' ? history_frozen(history, line->node->zone) : (struct mono){ 0 };
	if (at.ms != 0 && snapshot->now.mono.ms - at.ms < policy->storm_cooldown_ms)
		hold(line, HOLD_COOLDOWN, line->node->zone);
}

/* A node that registered anew under another name leaves its old Node behind, NotReady for ever, on a server that is
 * well. */
static void hold_shared_servers(const struct snapshot *snapshot, struct plan *plan)
{
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct machine *machine = match_node(snapshot, snapshot->nodes[i]).machine;
		for (size_t k = 0; k < plan->count && machine != NULL; k++) {
			struct line *line = &plan->lines[k];
			if (line->match.machine == machine && line->node != snapshot->nodes[i])
				hold(line, HOLD_NO_SERVER, "another Node runs on the same server");
		}
	}
}

static void brake_line(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
		       const struct ops *ops, enum hold global, struct arena *arena, struct plan *plan,
		       struct line *line)
{
	enum hold server = line->hold; /* the ladder's: less telling than the node's own and the cluster's */
	const char *detail = line->detail;
	line->hold = HOLD_NONE;
	line->detail = "";
	if (ops_of_node_const(ops, line->node->name) != NULL || ops_has_case(ops, line->record->case_id)) {
		line->hold = HOLD_REPAIRING;
		return;
	}
	hold_verdict(snapshot, arena, line);
	hold_others(snapshot, policy, line);
	hold_time(snapshot, policy, arena, line);
	hold(line, global, global == plan->outage.hold ? plan->outage.detail : "");
	hold_zone(snapshot, history, policy, plan, line);
	hold(line, server, detail);
	if (line->match.machine != NULL && ops_has_server(ops, line->match.machine->id))
		hold(line, HOLD_SERVER_BUSY, "");
}

void brake_apply(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
		 const struct ops *ops, struct arena *arena, struct plan *plan)
{
	enum hold global = global_hold(snapshot, history, policy, ops, plan);
	bool is_any_left = false;
	for (size_t i = 0; i < plan->count; i++) {
		brake_line(snapshot, history, policy, ops, global, arena, plan, &plan->lines[i]);
		is_any_left = is_any_left || plan->lines[i].hold == HOLD_NONE;
	}
	if (is_any_left) /* looks at every node: only when something is to be done */
		hold_shared_servers(snapshot, plan);
	bool is_suspect = is_any_left && is_listing_suspect(snapshot);
	for (size_t i = 0; i < plan->count && is_suspect; i++)
		hold(&plan->lines[i], HOLD_CLOUD_SUSPECT, "");
	budget_spend(snapshot, history, policy, ops, arena, plan);
	for (size_t i = 0; i < plan->count && policy->is_dry_run; i++)
		hold(&plan->lines[i], HOLD_DRY_RUN, "");
}

/* Somebody else has taken the node over since the repair began. */
static const char *taken_over(const struct node *node)
{
	if (node->deleted.ms != 0)
		return "the Node is being deleted";
	return mark_of_others(node) != NULL ? "somebody else is at work on the node" : NULL;
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
	if (record == NULL || record->is_well_now)
		return "the node is healthy again";
	if (taken_over(node) != NULL)
		return taken_over(node);
	if (policy->is_dry_run)
		return "dry-run was switched on";
	if (snapshot->is_switches_fresh && switches_is_paused(snapshot->switches, node, snapshot->now.wall))
		return "healing was paused";
	if (snapshot->cluster->is_known && !snapshot->cluster->is_healing_enabled)
		return "healing was switched off";
	if (history->storm_at.ms != 0 && history->storm_at.ms == snapshot->now.mono.ms)
		return "too many nodes are unhealthy";
	if (node->zone[0] != '\0' && history_frozen(history, node->zone).ms == snapshot->now.mono.ms)
		return "too many nodes of its zone are unhealthy";
	return NULL;
}
