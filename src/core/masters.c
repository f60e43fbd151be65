/* Law L5: one master at a time, and never one whose absence would leave etcd without a quorum. */
#include <string.h>

#include "core/marks.h"
#include "core/plan.h"

int quorum_of(int members)
{
	return members / 2 + 1;
}

/* Unknown is not unhealthy, but a quorum is only counted of masters that every check sees to be well. */
static bool is_well(const struct snapshot *snapshot, const struct node *node)
{
	const struct checker *checker = snapshot->checker;
	if (node->deleted.ms != 0 || mark_of_others(node) != NULL)
		return false; /* somebody is about to take it away */
	for (size_t i = 0; i < checker->count[node->role]; i++) {
		enum health health = checker->find(checker->ctx, i, node, snapshot->now.wall, NULL);
		if (health != HEALTH_OK)
			return false;
	}
	return checker->count[node->role] > 0;
}

struct masters masters_count(const struct snapshot *snapshot, const struct ops *ops)
{
	struct masters masters = { 0 };
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct node *node = snapshot->nodes[i];
		if (node->role != ROLE_MASTER)
			continue;
		bool is_under_repair = ops_of_node_const(ops, node->name) != NULL;
		masters.members++;
		masters.is_one_under_repair = masters.is_one_under_repair || is_under_repair;
		if (!is_under_repair && is_well(snapshot, node))
			masters.healthy++;
	}
	/* A master under repair may have no Node for a while: it is one all the same. */
	for (size_t i = 0; i < ops->count; i++) {
		const struct op_facts *facts = &ops->list[i].facts;
		if (facts->is_worker || snapshot_node(snapshot, facts->node) != NULL)
			continue;
		masters.members++;
		masters.is_one_under_repair = true;
	}
	/* A member whose Node was deleted is a member still. */
	if (snapshot->cluster->is_known && snapshot->cluster->masters_count > masters.members)
		masters.members = snapshot->cluster->masters_count;
	return masters;
}

enum hold masters_hold(struct masters *masters, const struct line *line)
{
	if (masters->is_one_under_repair)
		return HOLD_MASTER_BUSY;
	/* The only master may be rebooted: there is no quorum to lose beside its own. */
	bool is_single_reboot = masters->members == 1 && line->rung != RUNG_REPLACE;
	if (!is_single_reboot && masters->healthy < quorum_of(masters->members))
		return HOLD_QUORUM;
	masters->is_one_under_repair = true;
	return HOLD_NONE;
}
