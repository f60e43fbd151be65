/* NodeLease: the kubelet's heartbeat, its Lease in kube-node-lease, has not been renewed for max-age. The age is
 * counted by our own clock, from the moment at which the same renewTime was first seen: a kubelet's clock may be wrong.
 * So a Lease that was never seen to change must have been watched for max-age before anything is said of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/check.h"

static int by_node(const void *key, const void *heartbeat)
{
	return strcmp(key, ((const struct heartbeat *)heartbeat)->node);
}

static const struct heartbeat *find(const struct heartbeats *heartbeats, const char *node)
{
	if (heartbeats->count == 0)
		return NULL;
	return bsearch(node, heartbeats->list, heartbeats->count, sizeof *heartbeats->list, by_node);
}

static enum health judge_age(const struct conf_check *conf, const struct check_facts *facts,
			     const struct heartbeat *heartbeat, struct finding *out)
{
	char text[DURATION_TEXT_BYTES];
	bool has_changed = heartbeat->changed.ms != 0;
	struct mono from = has_changed ? heartbeat->changed : heartbeat->seen;
	/* By the listing, not by now: it may have been renewed since. */
	int64_t age_ms = facts->heartbeats->listed.ms - from.ms;
	if (from.ms == 0 || age_ms < conf->max_age_ms) {
		if (has_changed)
			return HEALTH_OK;
		(void)TEXT_COPY(out->why, "its Lease has not been watched for long enough yet"); /* it fits */
		return HEALTH_UNKNOWN;
	}
	struct now now = facts->snapshot->now;
	out->since.ms = now.wall.ms - (now.mono.ms - from.ms);
	(void)snprintf(out->why, sizeof out->why, "its Lease was not renewed for %s",
		       duration_format(age_ms / SEC * SEC, text));
	return HEALTH_BAD;
}

static enum health judge(const struct conf_check *conf, size_t check, const struct check_facts *facts,
			 const struct node *node, struct finding *out)
{
	(void)check;
	struct finding finding = { .health = HEALTH_UNKNOWN };
	const struct heartbeats *heartbeats = facts->heartbeats;
	const struct heartbeat *heartbeat = NULL;
	if (facts->snapshot == NULL || heartbeats == NULL || !heartbeats->is_fresh)
		(void)TEXT_COPY(finding.why, "the Leases of the nodes are not known now"); /* it fits */
	else if ((heartbeat = find(heartbeats, node->name)) == NULL)
		(void)TEXT_COPY(finding.why, "the node has no Lease in kube-node-lease"); /* it fits */
	else
		finding.health = judge_age(conf, facts, heartbeat, &finding);
	if (out != NULL)
		*out = finding;
	return finding.health;
}

const struct check_ops check_node_lease = { .type = "NodeLease", .judge = judge };
