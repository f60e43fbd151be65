/* OpenStack as a provider: which recipe for which rung, and what the recipes must know. */
#include "cloud/provider.h"

#include <string.h>

#include "base/str.h"
#include "cloud/node_steps.h"
#include "cloud/openstack/magnum.h"
#include "cloud/openstack/observe.h"
#include "cloud/openstack/recipes_heat.h"
#include "cloud/openstack/recipes_master.h"

/* The stack that owns the node's server: its group's own, else the cluster's. "" where there is none. */
static const char *stack_of(const struct cluster_view *view, const struct node *node)
{
	const struct group *group = cluster_group(view, node->group);
	return group != NULL && group->stack_id[0] != '\0' ? group->stack_id : view->stack_id;
}

/* Magnum's word for the cluster, else its master groups'. 0: unknown. */
static int masters_of(const struct cluster_view *view)
{
	int count = 0;
	for (size_t i = 0; i < view->groups_count; i++)
		count += view->groups[i].role == ROLE_MASTER ? view->groups[i].node_count : 0;
	return view->masters_count > 0 ? view->masters_count : count;
}

/* Law L5. NULL: it may be replaced. */
static const char *why_no_new_master(const struct policy *policy, const struct cluster_view *view)
{
	if (policy->master_replacement == MASTERS_NEVER)
		return "master-replacement: never";
	if (masters_of(view) == 0)
		return "how many masters the cluster has is not known";
	if (masters_of(view) == 1)
		return "a single master is only ever rebooted";
	if (policy->master_replacement == MASTERS_AUTO && !view->has_etcd_volume)
		return "its etcd data would not survive: the cluster has no label etcd_volume_size";
	return NULL;
}

static bool is_resized(const struct policy *policy, const struct node *node)
{
	return node->role == ROLE_WORKER && policy->worker_replacement == REPLACE_RESIZE;
}

/* NULL: the stack can replace the server. */
static const char *why_no_new_server(const struct policy *policy, const struct cluster_view *view,
				     const struct node *node)
{
	const struct group *group = cluster_group(view, node->group);
	if (view->stack_status[0] == '\0' || stack_of(view, node)[0] == '\0')
		return "the cluster has no Heat stack that could replace the server";
	if (is_resized(policy, node) && group == NULL)
		return "the node has no label of a node group that Magnum knows";
	if (is_resized(policy, node) && group->role == ROLE_MASTER)
		return "the node's group is the masters', which Magnum does not resize";
	return NULL;
}

static const struct recipe *replacement(const struct policy *policy, const struct cluster_view *view,
					const struct node *node, const char **out_why)
{
	const char *why = node->role == ROLE_MASTER ? why_no_new_master(policy, view) : NULL;
	if (why == NULL)
		why = why_no_new_server(policy, view, node);
	if (why != NULL) {
		*out_why = why;
		return NULL;
	}
	if (node->role == ROLE_MASTER)
		return &recipe_replace_master;
	return is_resized(policy, node) ? &recipe_replace_by_resize : &recipe_replace_in_place;
}

static const struct recipe *repair(enum rung rung, const struct policy *policy, const struct cluster_view *view,
				   const struct node *node, const struct machine *machine, const char **out_why)
{
	const char *ignored = NULL;
	const char **why = out_why != NULL ? out_why : &ignored;
	bool needs_server = rung == RUNG_START || rung == RUNG_REBOOT || rung == RUNG_HARD_REBOOT;
	if (needs_server && machine == NULL) {
		*why = "the node's server is not known";
		return NULL;
	}
	switch (rung) {
	case RUNG_START:
		return &recipe_start;
	case RUNG_REBOOT:
		return &recipe_soft_reboot;
	case RUNG_HARD_REBOOT:
		return &recipe_hard_reboot;
	case RUNG_REPLACE:
		return replacement(policy, view, node, why);
	case RUNG_UNCORDON:
		return &recipe_uncordon;
	case RUNG_NONE:
	case RUNG_GIVE_UP:
		break;
	}
	*why = "this rung does nothing";
	return NULL;
}

static void facts(const struct cluster_view *view, const struct node *node, const struct machine *machine,
		  struct op_facts *out)
{
	/* What does not fit stays "": unknown, which every step treats as such. */
	(void)TEXT_COPY(out->node, node->name);
	(void)TEXT_COPY(out->node_uid, node->uid);
	(void)TEXT_COPY(out->boot_id, node->boot_id);
	(void)TEXT_COPY(out->machine_id, node->machine_id);
	if (machine != NULL) {
		(void)TEXT_COPY(out->server, machine->id);
		(void)TEXT_COPY(out->server_name, machine->name);
	}
	(void)TEXT_COPY(out->cluster, view->id);
	(void)TEXT_COPY(out->group, node->group);
	const char *stack = stack_of(view, node);
	if (view->stack_name[0] != '\0' && strcmp(stack, view->stack_id) == 0)
		(void)snprintf(out->stack, sizeof out->stack, "%.230s/%.79s", view->stack_name, stack);
	else
		(void)TEXT_COPY(out->stack, stack);
	out->is_worker = node->role == ROLE_WORKER;
}

/* Magnum's conductor drops a report in any other state than *_COMPLETE, and one that meets a resize can undo it. */
static bool report(const struct cluster_view *view, bool is_healthy, const char *const *bad_nodes, size_t bad_count,
		   struct arena *arena, struct ask *out)
{
	if (!view->is_known || view->id[0] == '\0' || cluster_is_busy(view) || !status_is_settled(view->status) ||
	    strcmp(view->status, "UPDATE_FAILED") == 0)
		return false;
	magnum_health(arena, view->id, is_healthy, bad_nodes, bad_count, out);
	return true;
}

static const struct recipe *const recipes[] = {
	&recipe_start,
	&recipe_soft_reboot,
	&recipe_hard_reboot,
	&recipe_replace_in_place,
	&recipe_replace_by_resize,
	&recipe_replace_master,
	&recipe_uncordon,
	NULL,
};

const struct provider_ops provider_openstack = {
	.name = "openstack",
	.observer_new = openstack_observer_new,
	.observer_next = openstack_observer_next,
	.observer_hear = openstack_observer_hear,
	.observer_take = openstack_observer_take,
	.observer_free = openstack_observer_free,
	.repair = repair,
	.facts = facts,
	.recipes = recipes,
	.report = report,
};
