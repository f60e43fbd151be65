/* NodeCondition: a condition of the Node has a value that is not one of ok-values, or is one of error-values. A
 * condition that is not there says nothing. The clock (unhealthy-duration) is the judge's, so that a flip between two
 * bad values does not restart it. */
#include <stdio.h>
#include <string.h>

#include "check/check.h"

static bool has(char *const *values, size_t count, const char *value)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(values[i], value) == 0)
			return true;
	}
	return false;
}

static bool is_bad(const struct conf_check *conf, const struct condition *condition)
{
	const char *value = status_name(condition->status);
	if (conf->error_values_count > 0)
		return has(conf->error_values, conf->error_values_count, value);
	return !has(conf->ok_values, conf->ok_values_count, value);
}

static enum health judge(const struct conf_check *conf, size_t check, const struct check_facts *facts,
			 const struct node *node, struct finding *out)
{
	(void)check;
	(void)facts;
	enum health health = HEALTH_UNKNOWN;
	const struct condition *worst = NULL;
	for (size_t i = 0; i < conf->types_count; i++) {
		const struct condition *condition = node_condition(node, conf->types[i]);
		if (condition == NULL)
			continue;
		if (!is_bad(conf, condition)) {
			health = health == HEALTH_BAD ? HEALTH_BAD : HEALTH_OK;
			continue;
		}
		health = HEALTH_BAD;
		if (worst == NULL || condition->transition.ms < worst->transition.ms)
			worst = condition; /* the one that has been bad the longest */
	}
	if (out == NULL)
		return health;
	*out = (struct finding){ .health = health };
	if (worst != NULL) {
		out->since = worst->transition;
		out->is_dated = true;
		(void)snprintf(out->why, sizeof out->why, "%s=%s (%s)", worst->type, status_name(worst->status),
			       worst->reason);
	}
	return health;
}

const struct check_ops check_node_condition = { .type = "NodeCondition", .judge = judge };
