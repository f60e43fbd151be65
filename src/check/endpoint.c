/* Endpoint: an HTTP request to the node itself. The configuration is accepted; probing is not part of this version, so
 * the finding is unknown, and unknown is never unhealthy. The daemon says so once at its start. */
#include "check/check.h"

static enum health judge(const struct conf_check *conf, const struct node *node, struct wall now, struct finding *out)
{
	(void)conf;
	(void)node;
	(void)now;
	if (out != NULL)
		*out = (struct finding){ .health = HEALTH_UNKNOWN, .why = "endpoints are not probed by this version" };
	return HEALTH_UNKNOWN;
}

const struct check_ops check_endpoint = { .type = "Endpoint", .judge = judge };
