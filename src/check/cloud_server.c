/* CloudServer: the server behind the node is in one of `states`, as the cloud tells it, or the node names a server that
 * a complete listing lacks ("GONE"). The listing has no times, so that a finding begins when it is first made; the
 * clock is the judge's. */
#include <stdio.h>
#include <string.h>

#include "check/check.h"
#include "core/match.h"

#define GONE "GONE"

static bool is_listed(const struct conf_check *conf, const char *state)
{
	for (size_t i = 0; i < conf->states_count; i++) {
		if (strcmp(conf->states[i], state) == 0)
			return true;
	}
	return false;
}

static enum health judge_missing(const struct conf_check *conf, const struct match *match, struct finding *out)
{
	if (match->missing[0] == '\0') {
		(void)TEXT_COPY(out->why, "the node names no server of the cloud"); /* it fits */
		return HEALTH_UNKNOWN;
	}
	(void)snprintf(out->why, sizeof out->why, "the cloud has no server %s", match->missing);
	return is_listed(conf, GONE) ? HEALTH_BAD : HEALTH_UNKNOWN;
}

static enum health judge_server(const struct conf_check *conf, const struct match *match, struct finding *out)
{
	if (!match->is_verified) {
		(void)snprintf(out->why, sizeof out->why, "neither name nor address confirm that its server is %s",
			       match->machine->id);
		return HEALTH_UNKNOWN;
	}
	if (!is_listed(conf, match->machine->status))
		return HEALTH_OK;
	(void)snprintf(out->why, sizeof out->why, "server %.60s is %s", match->machine->name, match->machine->status);
	return HEALTH_BAD;
}

static enum health judge(const struct conf_check *conf, size_t check, const struct check_facts *facts,
			 const struct node *node, struct finding *out)
{
	(void)check;
	struct finding finding = { .health = HEALTH_UNKNOWN };
	const struct snapshot *snapshot = facts->snapshot;
	/* A listing without any server is rather a mistake of the cloud's than the end of the cluster. */
	if (snapshot == NULL || !snapshot->is_cloud_fresh || snapshot->machines_count == 0) {
		(void)TEXT_COPY(finding.why, "the cloud's servers are not known now"); /* it fits */
	} else {
		struct match match = match_node(snapshot, node);
		finding.health = match.machine == NULL ? judge_missing(conf, &match, &finding)
						       : judge_server(conf, &match, &finding);
		if (finding.health == HEALTH_BAD)
			finding.since = snapshot->now.wall;
	}
	if (out != NULL)
		*out = finding;
	return finding.health;
}

const struct check_ops check_cloud_server = { .type = "CloudServer", .judge = judge };
