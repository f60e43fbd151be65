#include "core/facts.h"

#include <string.h>

const char *role_name(enum role role)
{
	return role == ROLE_MASTER ? "master" : "worker";
}

const char *status_name(enum status status)
{
	switch (status) {
	case STATUS_FALSE:
		return "False";
	case STATUS_TRUE:
		return "True";
	case STATUS_UNKNOWN:
		return "Unknown";
	}
	return "?";
}

bool status_parse(struct str text, enum status *out)
{
	static const enum status all[] = { STATUS_FALSE, STATUS_TRUE, STATUS_UNKNOWN };
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (str_eq(text, status_name(all[i]))) {
			*out = all[i];
			return true;
		}
	}
	return false;
}

const char *health_name(enum health health)
{
	switch (health) {
	case HEALTH_UNKNOWN:
		return "unknown";
	case HEALTH_OK:
		return "healthy";
	case HEALTH_BAD:
		return "unhealthy";
	}
	return "?";
}

const struct condition *node_condition(const struct node *node, const char *type)
{
	for (size_t i = 0; i < node->conditions_count; i++) {
		if (strcmp(node->conditions[i].type, type) == 0)
			return &node->conditions[i];
	}
	return NULL;
}

const struct group *cluster_group(const struct cluster_view *cluster, const char *name)
{
	for (size_t i = 0; i < cluster->groups_count; i++) {
		const struct group *group = &cluster->groups[i];
		if (name[0] != '\0' && (strcmp(group->name, name) == 0 || strcmp(group->id, name) == 0))
			return group;
	}
	return NULL;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text);
	size_t end_n = strlen(end);
	return n >= end_n && strcmp(text + n - end_n, end) == 0;
}

bool cluster_is_busy(const struct cluster_view *cluster)
{
	return ends_with(cluster->status, "_IN_PROGRESS") || ends_with(cluster->stack_status, "_IN_PROGRESS");
}

/* Magnum never leaves UPDATE_FAILED by itself, even when Heat has long repaired the stack: the stack's word counts. A
 * stack that is UPDATE_FAILED itself is healed by the next update, so it is no reason to stop either. */
bool cluster_is_settled(const struct cluster_view *cluster)
{
	bool is_magnum_fine = ends_with(cluster->status, "_COMPLETE") || strcmp(cluster->status, "UPDATE_FAILED") == 0;
	bool is_stack_fine = cluster->stack_status[0] == '\0' || ends_with(cluster->stack_status, "_COMPLETE") ||
			     strcmp(cluster->stack_status, "UPDATE_FAILED") == 0;
	bool is_deleted = text_starts(cluster->status, "DELETE_") || text_starts(cluster->stack_status, "DELETE_");
	return is_magnum_fine && is_stack_fine && !is_deleted;
}

const char *node_annotation(const struct node *node, const char *key)
{
	for (size_t i = 0; i < node->annotations_count; i++) {
		if (strcmp(node->annotations[i].key, key) == 0)
			return node->annotations[i].value;
	}
	return NULL;
}
