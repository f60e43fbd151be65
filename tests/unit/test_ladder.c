/* Every state of a server, for both roles, after every rung: which rung comes next, and what holds it; ladders by
 * configuration, what the cloud cannot do, and what a probe could tell of the guest. */
#include "core_fixture.h"

/* A cloud that can do the rungs of a mask. */
struct cloud {
	unsigned can;
	const char *why;
};
#define ALL_RUNGS (~0u)

static bool cloud_can(const void *ctx, enum rung rung, const struct node *node, const struct machine *machine,
		      const char **out_why)
{
	const struct cloud *cloud = ctx;
	(void)node;
	(void)machine;
	*out_why = cloud->why;
	return cloud->can >> rung & 1;
}

struct state_case {
	const char *status, *task;
	bool is_locked;
	enum rung first; /* when nothing was tried yet */
	enum hold hold;
};

static const struct state_case states[] = {
	{ "ACTIVE", "", false, RUNG_REBOOT, HOLD_NONE },
	{ "SHUTOFF", "", false, RUNG_START, HOLD_NONE },
	{ "ERROR", "", false, RUNG_HARD_REBOOT, HOLD_NONE },
	{ "ACTIVE", "rebooting", false, RUNG_REBOOT, HOLD_SERVER_BUSY },
	{ "SHUTOFF", "powering-on", false, RUNG_START, HOLD_SERVER_BUSY },
	{ "ERROR", "deleting", false, RUNG_HARD_REBOOT, HOLD_SERVER_BUSY },
	{ "ACTIVE", "", true, RUNG_REBOOT, HOLD_SERVER_LOCKED },
	{ "SHUTOFF", "", true, RUNG_START, HOLD_SERVER_LOCKED },
	{ "MIGRATING", "migrating", true, RUNG_REBOOT, HOLD_SERVER_LOCKED },
	{ "BUILD", "spawning", false, RUNG_REBOOT, HOLD_SERVER_BUSY },
	{ "REBUILD", "rebuilding", false, RUNG_REBOOT, HOLD_SERVER_BUSY },
	{ "REBOOT", "rebooting", false, RUNG_REBOOT, HOLD_SERVER_BUSY },
	{ "HARD_REBOOT", "", false, RUNG_REBOOT, HOLD_SERVER_BUSY },
	{ "MIGRATING", "", false, RUNG_REBOOT, HOLD_SERVER_BUSY },
	{ "RESIZE", "", false, RUNG_REBOOT, HOLD_SERVER_BUSY },
	{ "REVERT_RESIZE", "", false, RUNG_REBOOT, HOLD_SERVER_BUSY },
	{ "PASSWORD", "", false, RUNG_REBOOT, HOLD_SERVER_BUSY },
	{ "VERIFY_RESIZE", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "SHELVED", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "SHELVED_OFFLOADED", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "PAUSED", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "SUSPENDED", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "RESCUE", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "SOFT_DELETED", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "DELETED", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "UNKNOWN", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "SOMETHING_NEW", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
	{ "", "", false, RUNG_REBOOT, HOLD_SERVER_STATE },
};

/* After the first rung of the default ladders: master reboot, hard reboot, replace; worker reboot, replace. */
static enum rung expected_rung(enum role role, enum rung first, enum rung last)
{
	switch ((int)last) {
	case RUNG_NONE:
		return first;
	case RUNG_START: /* it was started, and is off again, or deaf */
		return first == RUNG_START ? RUNG_HARD_REBOOT : first;
	case RUNG_REBOOT:
		return role == ROLE_MASTER ? RUNG_HARD_REBOOT : RUNG_REPLACE;
	default:
		return RUNG_REPLACE;
	}
}

static void each_state_role_and_rung(void **state)
{
	(void)state;
	static const enum rung lasts[] = { RUNG_NONE, RUNG_START, RUNG_REBOOT, RUNG_HARD_REBOOT, RUNG_REPLACE };
	struct lab *lab = lab_new(1, 1);
	for (size_t s = 0; s < COUNT(states); s++) {
		for (size_t node = 0; node < 2; node++) {
			for (size_t l = 0; l < COUNT(lasts); l++) {
				enum role role = lab->nodes[node].role;
				(void)TEXT_COPY(lab->machines[node].status, states[s].status);
				(void)TEXT_COPY(lab->machines[node].task_state, states[s].task);
				lab->machines[node].is_locked = states[s].is_locked;
				struct record record = { .role = role, .last_rung = lasts[l] };
				struct line line = {
					.node = &lab->nodes[node], .record = &record, .detail = "", .beyond = ""
				};
				ladder_choose(lab_look(lab), &lab->policy, cloud_can, &(struct cloud){ ALL_RUNGS, "" },
					      &line);
				enum rung rung = expected_rung(role, states[s].first, lasts[l]);
				CHECK(line.rung == rung, "%s %s after %s: %s", role_name(role), states[s].status,
				      rung_name(lasts[l]), rung_name(line.rung));
				CHECK(line.hold == states[s].hold, "%s %s after %s: %s", role_name(role),
				      states[s].status, rung_name(lasts[l]), hold_name(line.hold));
				CHECK(line.top == RUNG_REPLACE, "%s", rung_name(line.top));
				assert_ptr_equal(line.match.machine, &lab->machines[node]);
			}
		}
	}
	lab_free(lab);
}

/* The reboot that we asked for hangs: a harder one is the way out, if it is ours. */
static void a_reboot_that_hangs(void **state)
{
	(void)state;
	static const struct {
		const char *status, *task;
		bool has_acted, is_locked;
		enum rung last, rung;
		enum hold hold;
	} cases[] = {
		{ "REBOOT", "rebooting", true, false, RUNG_REBOOT, RUNG_HARD_REBOOT, HOLD_NONE },
		{ "ACTIVE", "reboot_pending", true, false, RUNG_REBOOT, RUNG_HARD_REBOOT, HOLD_NONE },
		{ "REBOOT", "rebooting", false, false, RUNG_REBOOT, RUNG_REPLACE, HOLD_SERVER_BUSY },
		{ "REBOOT", "rebooting", true, true, RUNG_REBOOT, RUNG_REPLACE, HOLD_SERVER_LOCKED },
		{ "REBOOT", "rebooting", true, false, RUNG_NONE, RUNG_REBOOT, HOLD_SERVER_BUSY },
		{ "HARD_REBOOT", "", true, false, RUNG_HARD_REBOOT, RUNG_REPLACE, HOLD_SERVER_BUSY },
		{ "ACTIVE", "migrating", true, false, RUNG_REBOOT, RUNG_REPLACE, HOLD_SERVER_BUSY },
	};
	struct lab *lab = lab_new(0, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		(void)TEXT_COPY(lab->machines[0].status, cases[i].status);
		(void)TEXT_COPY(lab->machines[0].task_state, cases[i].task);
		lab->machines[0].is_locked = cases[i].is_locked;
		struct record record = { .role = ROLE_WORKER,
					 .last_rung = cases[i].last,
					 .has_acted = cases[i].has_acted };
		struct line line = { .node = &lab->nodes[0], .record = &record, .detail = "", .beyond = "" };
		ladder_choose(lab_look(lab), &lab->policy, cloud_can, &(struct cloud){ ALL_RUNGS, "" }, &line);
		CHECK(line.rung == cases[i].rung, "case %zu: %s", i, rung_name(line.rung));
		CHECK(line.hold == cases[i].hold, "case %zu: %s", i, hold_name(line.hold));
	}
	lab_free(lab);
}

static void a_server_that_is_none(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		const char *provider, *name, *ip;
		unsigned can;
		enum rung rung;
		enum hold hold;
	} cases[] = {
		{ "gone", "openstack:///dddddddd-4444-4000-8000-00000000000d", "x", "", ALL_RUNGS, RUNG_REPLACE,
		  HOLD_NONE },
		{ "gone, and not to be replaced", "openstack:///dddddddd-4444-4000-8000-00000000000d", "x", "",
		  ALL_RUNGS & ~(1u << RUNG_REPLACE), RUNG_NONE, HOLD_CANNOT },
		{ "nameless", "", "x", "", ALL_RUNGS, RUNG_NONE, HOLD_NO_SERVER },
		{ "not verified", "openstack:///00000000-0000-4000-8000-000000000000", "x", "1.2.3.4", ALL_RUNGS,
		  RUNG_NONE, HOLD_NO_SERVER },
	};
	struct lab *lab = lab_new(0, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int is_master = 0; is_master < 2; is_master++) {
			struct node node = { .name = cases[i].name,
					     .provider_id = cases[i].provider,
					     .system_uuid = "",
					     .machine_id = "",
					     .role = is_master ? ROLE_MASTER : ROLE_WORKER,
					     .internal_ip = cases[i].ip };
			struct record record = { .role = node.role };
			struct line line = { .node = &node, .record = &record, .detail = "", .beyond = "" };
			ladder_choose(lab_look(lab), &lab->policy, cloud_can, &(struct cloud){ cases[i].can, NULL },
				      &line);
			CHECK(line.rung == cases[i].rung, "%s: %s", cases[i].what, rung_name(line.rung));
			CHECK(line.hold == cases[i].hold, "%s: %s", cases[i].what, hold_name(line.hold));
			CHECK(line.hold != HOLD_CANNOT || strstr(line.detail, "gone") != NULL, "%s", line.detail);
		}
	}
	lab_free(lab);
}

#define START (1u << RUNG_START)
#define REBOOT (1u << RUNG_REBOOT)
#define HARD (1u << RUNG_HARD_REBOOT)
#define REPLACE (1u << RUNG_REPLACE)

static const struct ladder_case {
	const char *what;
	unsigned ladder, can;
	const char *status;
	enum symptom symptom;
	enum rung last, rung, top;
	enum hold hold;
} ladder_cases[] = {
	{ "one rung", REPLACE, ALL_RUNGS, "ACTIVE", 0, RUNG_NONE, RUNG_REPLACE, RUNG_REPLACE, 0 },
	{ "one rung, off", REPLACE, ALL_RUNGS, "SHUTOFF", 0, RUNG_NONE, RUNG_REPLACE, RUNG_REPLACE, 0 },
	{ "the last rung again", REBOOT, ALL_RUNGS, "ACTIVE", 0, RUNG_REBOOT, RUNG_REBOOT, RUNG_REBOOT, 0 },
	{ "a rung is skipped", REBOOT | REPLACE, ALL_RUNGS, "ACTIVE", 0, RUNG_HARD_REBOOT, RUNG_REPLACE, RUNG_REPLACE,
	  0 },
	{ "in order", START | REBOOT | HARD | REPLACE, ALL_RUNGS, "ACTIVE", 0, RUNG_REBOOT, RUNG_HARD_REBOOT,
	  RUNG_REPLACE, 0 },
	{ "no replacement here", REBOOT | HARD | REPLACE, ALL_RUNGS & ~REPLACE, "ACTIVE", 0, RUNG_NONE, RUNG_REBOOT,
	  RUNG_HARD_REBOOT, 0 },
	{ "no replacement here, at the top", REBOOT | HARD | REPLACE, ALL_RUNGS & ~REPLACE, "ACTIVE", 0,
	  RUNG_HARD_REBOOT, RUNG_HARD_REBOOT, RUNG_HARD_REBOOT, 0 },
	{ "no replacement here, after one", REBOOT | HARD | REPLACE, ALL_RUNGS & ~REPLACE, "ACTIVE", 0, RUNG_REPLACE,
	  RUNG_HARD_REBOOT, RUNG_HARD_REBOOT, 0 },
	{ "nothing here", REBOOT | REPLACE, 0, "ACTIVE", 0, RUNG_NONE, RUNG_NONE, RUNG_NONE, HOLD_CANNOT },
	{ "nothing but what is not wanted", REPLACE, REBOOT | HARD, "ACTIVE", 0, RUNG_NONE, RUNG_NONE, RUNG_NONE,
	  HOLD_CANNOT },
	{ "no ladder at all", 0, ALL_RUNGS, "ACTIVE", 0, RUNG_NONE, RUNG_NONE, RUNG_NONE, HOLD_CANNOT },
	{ "off", REBOOT, ALL_RUNGS, "SHUTOFF", 0, RUNG_NONE, RUNG_START, RUNG_REBOOT, 0 },
	{ "off again", REBOOT, ALL_RUNGS, "SHUTOFF", 0, RUNG_START, RUNG_HARD_REBOOT, RUNG_HARD_REBOOT, 0 },
	{ "nothing to start", START | REBOOT, ALL_RUNGS, "ACTIVE", 0, RUNG_NONE, RUNG_REBOOT, RUNG_REBOOT, 0 },
	{ "the guest answers", REBOOT | REPLACE, ALL_RUNGS, "ACTIVE", SYMPTOM_GUEST_ANSWERS, RUNG_NONE, RUNG_REBOOT,
	  RUNG_REPLACE, 0 },
	{ "the guest is silent", REBOOT | REPLACE, ALL_RUNGS, "ACTIVE", SYMPTOM_GUEST_SILENT, RUNG_NONE,
	  RUNG_HARD_REBOOT, RUNG_REPLACE, 0 },
	{ "silent, after that", REBOOT | REPLACE, ALL_RUNGS, "ACTIVE", SYMPTOM_GUEST_SILENT, RUNG_HARD_REBOOT,
	  RUNG_REPLACE, RUNG_REPLACE, 0 },
	{ "silent, nothing above", REBOOT, ALL_RUNGS, "ACTIVE", SYMPTOM_GUEST_SILENT, RUNG_NONE, RUNG_HARD_REBOOT,
	  RUNG_HARD_REBOOT, 0 },
	{ "silent, and no hard reboot here", REBOOT, REBOOT, "ACTIVE", SYMPTOM_GUEST_SILENT, RUNG_NONE,
	  RUNG_HARD_REBOOT, RUNG_HARD_REBOOT, HOLD_CANNOT },
};

/* The configured ladder, what the cloud can, and where the climb is: which rung, and where it ends. */
static void ladders_by_configuration(void **state)
{
	(void)state;
	struct lab *lab = lab_new(0, 1);
	for (size_t i = 0; i < COUNT(ladder_cases); i++) {
		struct ladder ladder = { 0 };
		for (enum rung rung = RUNG_START; rung <= RUNG_REPLACE; rung++) {
			if (ladder_cases[i].ladder >> rung & 1)
				ladder.rungs[ladder.count++].rung = rung;
		}
		lab->policy.ladders[ROLE_WORKER] = ladder;
		(void)TEXT_COPY(lab->machines[0].status, ladder_cases[i].status);
		for (int is_own = 0; is_own < 2; is_own++) { /* of the check, or of the role */
			struct record record = { .role = ROLE_WORKER,
						 .last_rung = ladder_cases[i].last,
						 .symptom = ladder_cases[i].symptom,
						 .ladder = is_own ? &ladder : NULL };
			struct line line = { .node = &lab->nodes[0], .record = &record, .detail = "", .beyond = "" };
			ladder_choose(lab_look(lab), &lab->policy, cloud_can,
				      &(struct cloud){ ladder_cases[i].can, "why" }, &line);
			CHECK(line.rung == ladder_cases[i].rung, "%s: %s", ladder_cases[i].what, rung_name(line.rung));
			CHECK(line.top == ladder_cases[i].top, "%s: %s", ladder_cases[i].what, rung_name(line.top));
			CHECK(line.hold == ladder_cases[i].hold, "%s: %s", ladder_cases[i].what, hold_name(line.hold));
			CHECK(strcmp(line.detail, line.hold == HOLD_CANNOT && ladder.count > 0 ? "why" : "") == 0,
			      "%s: %s", ladder_cases[i].what, line.detail);
		}
	}
	lab_free(lab);
}

static void each_rung_has_its_time(void **state)
{
	(void)state;
	static const struct {
		const char *status;
		enum rung last;
		int64_t limit_ms;
	} cases[] = {
		{ "ACTIVE", RUNG_NONE, 2 * MINUTE },         { "ACTIVE", RUNG_REBOOT, 20 * MINUTE },
		{ "SHUTOFF", RUNG_NONE, 2 * MINUTE }, /* started in place of the reboot */
		{ "ERROR", RUNG_NONE, 2 * MINUTE },          { "ACTIVE", RUNG_REPLACE, 20 * MINUTE },
		{ "ACTIVE", RUNG_HARD_REBOOT, 20 * MINUTE },
	};
	struct lab *lab = lab_new(0, 1);
	struct ladder ladder = { 2, { { RUNG_REBOOT, 2 * MINUTE }, { RUNG_REPLACE, 20 * MINUTE } } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		(void)TEXT_COPY(lab->machines[0].status, cases[i].status);
		struct record record = { .role = ROLE_WORKER, .last_rung = cases[i].last, .ladder = &ladder };
		struct line line = { .node = &lab->nodes[0], .record = &record, .detail = "", .beyond = "" };
		ladder_choose(lab_look(lab), &lab->policy, lab_can, NULL, &line);
		CHECK(line.limit_ms == cases[i].limit_ms, "case %zu: %lld", i, (long long)line.limit_ms);
		record.ladder = NULL; /* the role's has no times: rebuild-delay-after-reboot */
		ladder_choose(lab_look(lab), &lab->policy, lab_can, NULL, &line);
		CHECK(line.limit_ms == 5 * MINUTE, "case %zu: %lld", i, (long long)line.limit_ms);
	}
	lab_free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_role_and_rung), cmocka_unit_test(a_reboot_that_hangs),
		cmocka_unit_test(a_server_that_is_none),    cmocka_unit_test(ladders_by_configuration),
		cmocka_unit_test(each_rung_has_its_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
