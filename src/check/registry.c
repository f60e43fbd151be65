#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "check/check.h"

static const struct check_ops *const all[] = { &check_node_condition, &check_endpoint,     &check_kubelet,
					       &check_node_lease,     &check_cloud_server, &check_never_joined };

struct checks {
	const struct config *config;
	const struct check_ops *ops[ROLES_COUNT][CHECKS_PER_ROLE_MAX];
	const struct check_facts *facts;
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
	static const struct check_facts nothing;
	struct checks *checks = xcalloc(1, sizeof *checks);
	checks->config = config;
	checks->facts = &nothing;
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

void checks_observe(struct checks *checks, const struct check_facts *facts)
{
	checks->facts = facts;
}

/* The time of the findings is the facts': one turn sees one time. */
static enum health find(const void *ctx, size_t check, const struct node *node, struct wall now, struct finding *out)
{
	(void)now;
	const struct checks *checks = ctx;
	const struct conf_check *conf = &checks->config->checks[node->role][check];
	const struct check_ops *ops = checks->ops[node->role][check];
	if (!node->is_phantom || ops == &check_never_joined)
		return ops->judge(conf, check, checks->facts, node, out);
	if (out != NULL) /* nothing else can be said of what is not there */
		*out = (struct finding){ .health = HEALTH_UNKNOWN, .why = "there is no such Node" };
	return HEALTH_UNKNOWN;
}

void checks_checker(const struct checks *checks, struct checker *out)
{
	*out = (struct checker){ .ctx = checks, .find = find };
	for (int role = 0; role < ROLES_COUNT; role++) {
		out->count[role] = checks->config->checks_count[role];
		for (size_t i = 0; i < out->count[role]; i++) {
			const struct conf_check *conf = &checks->config->checks[role][i];
			out->rules[role][i] =
				(struct check_rule){ .type = conf->type,
						     .unhealthy_duration_ms = conf->unhealthy_duration_ms,
						     .ladder = conf->ladder,
						     .is_of_phantoms = checks->ops[role][i] == &check_never_joined };
		}
	}
}

static bool has(const struct checks *checks, const struct check_ops *wanted)
{
	for (int role = 0; role < ROLES_COUNT; role++) {
		for (size_t i = 0; i < checks->config->checks_count[role]; i++) {
			if (checks->ops[role][i] == wanted)
				return true;
		}
	}
	return false;
}

bool checks_need_heartbeats(const struct checks *checks)
{
	return has(checks, &check_node_lease);
}

bool checks_need_phantoms(const struct checks *checks)
{
	return has(checks, &check_never_joined);
}

bool checks_need_cloud(const struct checks *checks)
{
	return has(checks, &check_cloud_server) || has(checks, &check_never_joined);
}
