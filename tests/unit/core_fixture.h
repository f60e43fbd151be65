/* A small cluster made of plain data for the tests of the core: nodes and their servers, one check (Ready), a policy,
 * and two clocks that only a test moves. */
#ifndef MAH_TESTS_CORE_FIXTURE_H
#define MAH_TESTS_CORE_FIXTURE_H

/* cmocka wants these first, in this order */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* `fail` is a function of ours. */
#undef fail
#undef fail_msg
#define fail_msg(fmt, ...) (print_error(fmt "\n", ##__VA_ARGS__), _fail(__FILE__, __LINE__))
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/time.h"
#include "core/plan.h"

#define UNUSED __attribute__((unused))

/* Fails with the name of the case. */
#define CHECK(ok, fmt, ...)                                                                                            \
	do {                                                                                                           \
		if (!(ok))                                                                                             \
			fail_msg("%s:%d: " #ok ": " fmt, __FILE__, __LINE__, ##__VA_ARGS__);                           \
	} while (0)

#define LAB_NODES 64
#define LAB_WALL INT64_C(1795000000000)
#define LAB_MONO (1 * HOUR)

struct lab {
	struct arena arena;
	struct rng rng;
	struct now now;
	char names[LAB_NODES][32], uids[LAB_NODES][SERVER_ID_BYTES], providers[LAB_NODES][80], ips[LAB_NODES][16];
	struct condition ready[LAB_NODES];
	struct taint taints[LAB_NODES];
	struct node nodes[LAB_NODES];
	const struct node *list[LAB_NODES];
	struct machine machines[LAB_NODES];
	size_t count;
	bool is_unknown[LAB_NODES]; /* the check cannot say anything of that node */
	struct cluster_view cluster;
	struct checker checker;
	struct policy policy;
	struct history history;
	struct ops ops;
	struct snapshot snapshot;
	struct plan plan;
};

static UNUSED enum health lab_find(const void *ctx, size_t check, const struct node *node, struct wall now,
				   struct finding *out)
{
	const struct lab *lab = ctx;
	(void)check;
	(void)now;
	size_t at = (size_t)(node - lab->nodes);
	const struct condition *ready = &lab->ready[at];
	enum health health = lab->is_unknown[at]            ? HEALTH_UNKNOWN
			     : ready->status == STATUS_TRUE ? HEALTH_OK
							    : HEALTH_BAD;
	if (out != NULL) {
		*out = (struct finding){ .health = health, .since = ready->transition };
		(void)snprintf(out->why, sizeof out->why, "Ready=%s", status_name(ready->status));
	}
	return health;
}

/* Days old, healthy, with a server of its own. Nodes are to be added in the order of their names. */
static UNUSED size_t lab_add(struct lab *lab, enum role role)
{
	size_t i = lab->count++;
	assert_true(i < LAB_NODES);
	(void)snprintf(lab->names[i], sizeof lab->names[i], "n-%03zu", i);
	(void)snprintf(lab->uids[i], sizeof lab->uids[i], "uid-%zu", i);
	(void)snprintf(lab->ips[i], sizeof lab->ips[i], "10.0.0.%zu", i + 1);
	struct machine *machine = &lab->machines[i];
	*machine = (struct machine){ .power_state = 1 };
	(void)snprintf(machine->id, sizeof machine->id, "00000000-0000-4000-8000-%012zx", i);
	(void)TEXT_COPY(machine->name, lab->names[i]);
	(void)TEXT_COPY(machine->status, "ACTIVE");
	(void)TEXT_COPY(machine->addresses[0], lab->ips[i]);
	(void)snprintf(lab->providers[i], sizeof lab->providers[i], "openstack:///00000000-0000-4000-8000-%012zx", i);
	lab->ready[i] = (struct condition){
		"Ready", "KubeletReady", STATUS_TRUE, { lab->now.wall.ms - 24 * HOUR }, { lab->now.wall.ms }
	};
	lab->nodes[i] = (struct node){ .name = lab->names[i],
				       .uid = lab->uids[i],
				       .resource_version = "1",
				       .provider_id = lab->providers[i],
				       .machine_id = "",
				       .system_uuid = lab->providers[i] + strlen("openstack:///"),
				       .boot_id = "",
				       .internal_ip = lab->ips[i],
				       .group = role == ROLE_MASTER ? "default-master" : "default-worker",
				       .zone = "",
				       .cordon_mark = "",
				       .created = { lab->now.wall.ms - 24 * HOUR },
				       .role = role,
				       .conditions_count = 1,
				       .conditions = &lab->ready[i],
				       .taints = &lab->taints[i] };
	lab->list[i] = &lab->nodes[i];
	return i;
}

static UNUSED void lab_init(struct lab *lab, int masters, int workers)
{
	*lab = (struct lab){ .rng = { 7 }, .now = { { LAB_MONO }, { LAB_WALL } }, .policy = policy_default() };
	lab->policy.max_concurrent_repairs = (struct limit){ 1, false };
	lab->checker = (struct checker){ .ctx = lab, .count = { 1, 1 }, .find = lab_find };
	for (int role = 0; role < ROLES_COUNT; role++)
		lab->checker.rules[role][0] = (struct check_rule){ "NodeCondition", 3 * MINUTE };
	lab->cluster = (struct cluster_view){
		.at = lab->now.mono, .is_known = true, .has_healing_label = true, .is_healing_enabled = true
	};
	(void)TEXT_COPY(lab->cluster.status, "CREATE_COMPLETE");
	(void)TEXT_COPY(lab->cluster.stack_status, "CREATE_COMPLETE");
	arena_init(&lab->arena);
	history_init(&lab->history);
	for (int i = 0; i < masters; i++)
		(void)lab_add(lab, ROLE_MASTER);
	for (int i = 0; i < workers; i++)
		(void)lab_add(lab, ROLE_WORKER);
	lab->snapshot = (struct snapshot){ .is_nodes_fresh = true,
					   .is_cloud_fresh = true,
					   .cluster = &lab->cluster,
					   .checker = &lab->checker,
					   .is_leader = true,
					   .is_journal_safe = true };
}

static UNUSED void lab_done(struct lab *lab)
{
	history_done(&lab->history);
	arena_done(&lab->arena);
}

static UNUSED const struct snapshot *lab_look(struct lab *lab)
{
	lab->snapshot.now = lab->now;
	lab->snapshot.nodes = lab->list;
	lab->snapshot.nodes_count = lab->count;
	lab->snapshot.machines = lab->machines;
	lab->snapshot.machines_count = lab->count;
	return &lab->snapshot;
}

static UNUSED void lab_pass(struct lab *lab, int64_t ms)
{
	lab->now.mono.ms += ms;
	lab->now.wall.ms += ms;
}

static UNUSED void lab_set(struct lab *lab, size_t node, enum status status)
{
	lab->ready[node].status = status;
	lab->ready[node].transition = lab->now.wall;
}

static UNUSED void lab_observe(struct lab *lab)
{
	history_observe(&lab->history, lab_look(lab), &lab->policy, &lab->ops, &lab->rng);
}

static UNUSED struct record *lab_record(struct lab *lab, size_t node)
{
	return history_find(&lab->history, lab->names[node]);
}

static UNUSED bool lab_can(const void *ctx, enum rung rung, const struct node *node, const struct machine *machine,
			   const char **out_why)
{
	(void)ctx;
	(void)node;
	(void)machine;
	(void)out_why;
	return rung != RUNG_NONE && rung != RUNG_GIVE_UP;
}

static UNUSED void lab_decide(struct lab *lab)
{
	decide(lab_look(lab), &lab->history, &lab->policy, &lab->ops, lab_can, lab, &lab->arena, &lab->plan);
	if (lab->plan.is_storm)
		lab->history.storm_at = lab->now.mono;
}

static UNUSED const struct line *lab_line(const struct lab *lab, size_t node)
{
	for (size_t i = 0; i < lab->plan.count; i++) {
		if (lab->plan.lines[i].node == &lab->nodes[node])
			return &lab->plan.lines[i];
	}
	return NULL;
}

/* The nodes of MASK (bit i: node i) go bad, and are so for long enough to be repaired. */
static UNUSED void lab_break(struct lab *lab, uint64_t mask)
{
	lab_observe(lab);
	for (size_t i = 0; i < lab->count; i++) {
		if (mask >> i & 1)
			lab_set(lab, i, STATUS_UNKNOWN);
	}
	lab_pass(lab, 1 * SEC);
	lab_observe(lab);
	lab_pass(lab, 4 * MINUTE);
	lab_observe(lab);
}

#endif
