/* A small cluster made of plain data for the tests of the core: nodes and their servers, their health by the check of
 * the Ready condition and by further checks whose findings a test sets, zones and compute hosts, marks of others, a
 * policy, and two clocks that only a test moves. */
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
#define LAB_MARKS 2 /* taints and annotations a node can have here */
#define LAB_WALL INT64_C(1795000000000)
#define LAB_MONO (1 * HOUR)

struct lab {
	struct arena arena;
	struct rng rng;
	struct now now;
	char names[LAB_NODES][32], uids[LAB_NODES][SERVER_ID_BYTES], providers[LAB_NODES][80], ips[LAB_NODES][16];
	struct condition ready[LAB_NODES];
	struct taint taints[LAB_NODES][LAB_MARKS];
	struct annotation annotations[LAB_NODES][LAB_MARKS];
	struct finding found[CHECKS_PER_ROLE_MAX][LAB_NODES]; /* of the checks after the first */
	enum symptom symptoms[LAB_NODES];                     /* that the first check tells of */
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
	struct switches switches;
	struct snapshot snapshot;
	struct plan plan;
};

static UNUSED enum health lab_find(const void *ctx, size_t check, const struct node *node, struct wall now,
				   struct finding *out)
{
	const struct lab *lab = ctx;
	(void)now;
	size_t at = (size_t)(node - lab->nodes);
	if (check > 0) {
		if (out != NULL)
			*out = lab->found[check][at];
		return lab->found[check][at].health;
	}
	const struct condition *ready = &lab->ready[at];
	enum health health = lab->is_unknown[at]            ? HEALTH_UNKNOWN
			     : ready->status == STATUS_TRUE ? HEALTH_OK
							    : HEALTH_BAD;
	if (out != NULL) {
		*out = (struct finding){
			.health = health, .symptom = lab->symptoms[at], .since = ready->transition, .is_dated = true
		};
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
				       .taints = lab->taints[i],
				       .annotations = lab->annotations[i] };
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
					   .is_journal_safe = true,
					   .switches = &lab->switches,
					   .is_switches_fresh = true };
}

/* One more check of the role, content with every node. Returns its number. */
static UNUSED size_t lab_add_check(struct lab *lab, enum role role, const char *type, int64_t duration_ms)
{
	size_t check = lab->checker.count[role]++;
	assert_true(check > 0 && check < CHECKS_PER_ROLE_MAX);
	lab->checker.rules[role][check] = (struct check_rule){ .type = type, .unhealthy_duration_ms = duration_ms };
	for (size_t i = 0; i < LAB_NODES; i++)
		lab->found[check][i] = (struct finding){ .health = HEALTH_OK };
	return check;
}

/* What that check finds from now on. */
static UNUSED void lab_find_it(struct lab *lab, size_t check, size_t node, enum health health)
{
	struct finding *finding = &lab->found[check][node];
	*finding = (struct finding){ .health = health, .since = lab->now.wall };
	(void)snprintf(finding->why, sizeof finding->why, "check %zu is %s", check, health_name(health));
}

/* The nodes are spread over so many zones, one after the other. */
static UNUSED void lab_zones(struct lab *lab, size_t zones)
{
	static const char *const names[] = { "az-1", "az-2", "az-3", "az-4" };
	for (size_t i = 0; i < lab->count; i++)
		lab->nodes[i].zone = zones > 0 ? names[i % zones] : "";
}

static UNUSED void lab_taint(struct lab *lab, size_t node, const char *key, const char *value)
{
	assert_true(lab->nodes[node].taints_count < LAB_MARKS);
	lab->taints[node][lab->nodes[node].taints_count++] = (struct taint){ key, value, "NoSchedule" };
}

static UNUSED void lab_annotate(struct lab *lab, size_t node, const char *key, const char *value)
{
	assert_true(lab->nodes[node].annotations_count < LAB_MARKS);
	lab->annotations[node][lab->nodes[node].annotations_count++] = (struct annotation){ key, value };
}

static UNUSED void lab_done(struct lab *lab)
{
	history_done(&lab->history);
	arena_done(&lab->arena);
}

static UNUSED struct lab *lab_new(int masters, int workers)
{
	struct lab *lab = xcalloc(1, sizeof *lab);
	lab_init(lab, masters, workers);
	return lab;
}

static UNUSED void lab_free(struct lab *lab)
{
	lab_done(lab);
	free(lab);
}

/* A repair of the node is running. */
static UNUSED struct op *lab_repair(struct lab *lab, size_t node)
{
	struct op *op = ops_add(&lab->ops);
	*op = (struct op){ .facts = { .is_worker = lab->nodes[node].role == ROLE_WORKER } };
	(void)TEXT_COPY(op->facts.node, lab->names[node]);
	(void)TEXT_COPY(op->facts.server, lab->machines[node].id);
	return op;
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
	history_note_outage(&lab->history, &lab->plan.outage, lab->now.mono);
}

static UNUSED const struct line *lab_line(const struct lab *lab, size_t node)
{
	for (size_t i = 0; i < lab->plan.count; i++) {
		if (lab->plan.lines[i].node == &lab->nodes[node])
			return &lab->plan.lines[i];
	}
	return NULL;
}

static UNUSED int lab_actions(const struct lab *lab)
{
	int actions = 0;
	for (size_t i = 0; i < lab->plan.count; i++)
		actions += lab->plan.lines[i].hold == HOLD_NONE;
	return actions;
}

/* What holds the node, which must have a line. */
static UNUSED enum hold lab_hold(const struct lab *lab, size_t node)
{
	const struct line *line = lab_line(lab, node);
	assert_non_null(line);
	return line->hold;
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

/* As if they had failed one after the other, not at once: that looks like an outage (core/outage.c). */
static UNUSED void lab_spread(struct lab *lab)
{
	for (size_t i = 0; i < lab->history.count; i++) {
		for (size_t check = 0; check < CHECKS_PER_ROLE_MAX; check++) {
			struct mono *since = &lab->history.records[i].bad_since[check];
			since->ms -= since->ms != 0 ? (int64_t)(lab->history.count - i) * 3 * MINUTE : 0;
		}
	}
}

#endif
