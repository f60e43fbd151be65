#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "check/check.h"

static const struct check_ops *const all[] = { &check_node_condition, &check_endpoint };

struct checks {
	const struct config *config;
	const struct check_ops *ops[ROLES_COUNT][CHECKS_PER_ROLE_MAX];
};

const struct check_ops *check_find(const char *type)
{
	for (size_t i = 0; i < COUNT(all); i++) {
		if (strcmp(all[i]->type, type) == 0)
			return all[i];
	}
	return NULL;
}

struct checks *checks_new(const struct config *config)
{
	struct checks *checks = xcalloc(1, sizeof *checks);
	checks->config = config;
	for (int role = 0; role < ROLES_COUNT; role++) {
		assert(config->checks_count[role] <= CHECKS_PER_ROLE_MAX); /* conf refuses more */
		for (size_t i = 0; i < config->checks_count[role]; i++) {
			checks->ops[role][i] = check_find(config->checks[role][i].type);
			assert(checks->ops[role][i] != NULL); /* conf refuses unknown types */
		}
	}
	return checks;
}

void checks_free(struct checks *checks)
{
	free(checks);
}

static enum health find(const void *ctx, size_t check, const struct node *node, struct wall now, struct finding *out)
{
	const struct checks *checks = ctx;
	const struct conf_check *conf = &checks->config->checks[node->role][check];
	return checks->ops[node->role][check]->judge(conf, node, now, out);
}

void checks_checker(const struct checks *checks, struct checker *out)
{
	*out = (struct checker){ .ctx = checks, .find = find };
	for (int role = 0; role < ROLES_COUNT; role++) {
		out->count[role] = checks->config->checks_count[role];
		for (size_t i = 0; i < out->count[role]; i++) {
			const struct conf_check *conf = &checks->config->checks[role][i];
			out->rules[role][i] = (struct check_rule){ conf->type, conf->unhealthy_duration_ms };
		}
	}
}
