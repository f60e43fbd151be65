/* NeverJoined: a server of the cluster for which there is no Node. The daemon shows such servers to the judge as
 * phantoms, Nodes that are not there; of a real Node this check says nothing. */
#include <stdio.h>

#include "check/check.h"

static enum health judge(const struct conf_check *conf, size_t check, const struct check_facts *facts,
			 const struct node *node, struct finding *out)
{
	(void)conf;
	(void)check;
	(void)facts;
	enum health health = node->is_phantom ? HEALTH_BAD : HEALTH_UNKNOWN;
	if (out == NULL)
		return health;
	*out = (struct finding){ .health = health };
	if (node->is_phantom) {
		char text[WALL_TEXT_BYTES];
		out->since =
			(struct wall){ 0 }; /* its Node may have been there until now: the judge's own clock counts */
		(void)snprintf(out->why, sizeof out->why, "server %.60s, made at %s, has no Node", node->name,
			       wall_format(node->created, text));
	}
	return health;
}

const struct check_ops check_never_joined = { .type = "NeverJoined", .judge = judge };
