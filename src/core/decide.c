#include "core/plan.h"

bool node_is_grown(const struct node *node, const struct record *record, const struct policy *policy, struct now now)
{
	bool is_young = node->created.ms > 0 && now.wall.ms - node->created.ms < policy->check_delay_after_add_ms;
	return !is_young || (record != NULL && record->has_acted);
}

static void count_nodes(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
			struct plan *out)
{
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct node *node = snapshot->nodes[i];
		if (!policy->is_enabled[node->role] || node->is_phantom)
			continue;
		out->total[node->role]++;
		if (node_is_grown(node, history_find(history, node->name), policy, snapshot->now))
			out->grown_count[node->role]++;
	}
}

void decide(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
	    const struct ops *ops, can_repair can, const void *ctx, struct arena *arena, struct plan *out)
{
	*out = (struct plan){ 0 };
	out->lines = arena_array(arena, struct line, history->count + 1);
	count_nodes(snapshot, history, policy, out);
	for (size_t i = 0; i < history->count; i++) {
		const struct record *record = &history->records[i];
		const struct node *node = snapshot_node(snapshot, record->node);
		if (node == NULL || !policy->is_enabled[node->role] || !record->is_bad_now)
			continue;
		if (!node->is_phantom && node_is_grown(node, record, policy, snapshot->now))
			out->bad_count[node->role]++;
		struct line *line = &out->lines[out->count++];
		*line = (struct line){ .node = node, .record = record, .detail = "", .beyond = "" };
		ladder_choose(snapshot, policy, can, ctx, line);
	}
	for (int role = 0; role < ROLES_COUNT; role++)
		out->bad_count[role] += history->unrecorded_bad[role];
	outage_judge(snapshot, history, policy, arena, out);
	brake_apply(snapshot, history, policy, ops, arena, out);
}
