#include <string.h>

#include "core/plan.h"

/* A storm: more nodes of a role are bad than the policy allows. Young nodes are their own class: a scale-out in which
 * many are not Ready yet is no storm. */
static bool is_storm(const struct plan *plan, const struct policy *policy)
{
	for (int role = 0; role < ROLES_COUNT; role++) {
		if ((int)plan->bad_count[role] > limit_of(policy->storm_threshold, (int)plan->grown_count[role]))
			return true;
	}
	return false;
}

/* Young, and not because of us. */
static bool is_grown(const struct node *node, const struct record *record, const struct policy *policy, struct now now)
{
	bool is_young = node->created.ms > 0 && now.wall.ms - node->created.ms < policy->check_delay_after_add_ms;
	return !is_young || (record != NULL && record->has_acted);
}

void decide(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
	    const struct ops *ops, can_repair can, const void *ctx, struct arena *arena, struct plan *out)
{
	*out = (struct plan){ 0 };
	out->lines = arena_array(arena, struct line, history->count + 1);
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct node *node = snapshot->nodes[i];
		if (!policy->is_enabled[node->role])
			continue;
		out->total[node->role]++;
		if (is_grown(node, history_find(history, node->name), policy, snapshot->now))
			out->grown_count[node->role]++;
	}
	for (size_t i = 0; i < history->count; i++) {
		const struct record *record = &history->records[i];
		const struct node *node = snapshot_node(snapshot, record->node);
		if (node == NULL || !policy->is_enabled[node->role] || !record->is_bad_now)
			continue;
		if (is_grown(node, record, policy, snapshot->now))
			out->bad_count[node->role]++;
		struct line *line = &out->lines[out->count++];
		*line = (struct line){ .node = node, .record = record, .detail = "" };
		ladder_choose(snapshot, line);
	}
	for (int role = 0; role < ROLES_COUNT; role++)
		out->bad_count[role] += history->unrecorded_bad[role];
	out->is_storm = is_storm(out, policy);
	brake_apply(snapshot, history, policy, ops, can, ctx, arena, out);
}
