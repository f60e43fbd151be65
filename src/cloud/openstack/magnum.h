/* Magnum's part of OpenStack: questions and the reading of answers; nothing else. */
#ifndef MAH_CLOUD_MAGNUM_H
#define MAH_CLOUD_MAGNUM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "core/ask.h"
#include "core/facts.h"

void magnum_cluster(struct arena *, const char *name_or_id, struct ask *out);
void magnum_groups(struct arena *, const char *cluster, struct ask *out);
void magnum_group(struct arena *, const char *cluster, const char *group, struct ask *out);
/* Replaces SERVER: the same count as before, and the server to take away. Not repeatable. */
void magnum_resize(struct arena *, const char *cluster, const char *group, int count, const char *server,
		   struct ask *out);
/* Writes the cluster's health. At most HEALTH_NODES_MAX bad nodes are named. */
#define HEALTH_NODES_MAX 50
void magnum_health(struct arena *, const char *cluster, bool is_healthy, const char *const *bad_nodes, size_t bad_count,
		   struct ask *out);

/* Fills id, name, stack_id, status, the number of masters and what the labels say. */
bool magnum_cluster_read(const json_t *cluster, struct cluster_view *out, struct err *err);
/* Fills the groups: all of them or none. */
bool magnum_groups_read(const json_t *list, struct cluster_view *out, struct err *err);

/* Of a cluster or a node group. */
bool status_is_busy(const char *status);    /* *_IN_PROGRESS */
bool status_is_settled(const char *status); /* an update may start: *_COMPLETE or UPDATE_FAILED, not DELETE_* */

#endif
