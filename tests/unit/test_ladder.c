/* Every state of a server, for both roles, after every rung: which rung comes next, and what holds it. */
#include "core_fixture.h"

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

static enum rung expected_rung(enum role role, enum rung first, enum rung last)
{
	if (last == RUNG_NONE)
		return first;
	return role == ROLE_WORKER ? RUNG_REPLACE : RUNG_HARD_REBOOT;
}

static void each_state_role_and_rung(void **state)
{
	(void)state;
	static const enum rung lasts[] = { RUNG_NONE, RUNG_START, RUNG_REBOOT, RUNG_HARD_REBOOT, RUNG_REPLACE };
	struct lab *lab = xcalloc(1, sizeof *lab);
	lab_init(lab, 1, 1);
	for (size_t s = 0; s < COUNT(states); s++) {
		for (size_t node = 0; node < 2; node++) {
			for (size_t l = 0; l < COUNT(lasts); l++) {
				enum role role = lab->nodes[node].role;
				(void)TEXT_COPY(lab->machines[node].status, states[s].status);
				(void)TEXT_COPY(lab->machines[node].task_state, states[s].task);
				lab->machines[node].is_locked = states[s].is_locked;
				struct record record = { .role = role, .last_rung = lasts[l] };
				struct line line = { .node = &lab->nodes[node], .record = &record, .detail = "" };
				ladder_choose(lab_look(lab), &line);
				enum rung rung = expected_rung(role, states[s].first, lasts[l]);
				CHECK(line.rung == rung, "%s %s after %s: %s", role_name(role), states[s].status,
				      rung_name(lasts[l]), rung_name(line.rung));
				CHECK(line.hold == states[s].hold, "%s %s after %s: %s", role_name(role),
				      states[s].status, rung_name(lasts[l]), hold_name(line.hold));
				CHECK(role == ROLE_WORKER || line.rung != RUNG_REPLACE, "a master is never replaced");
				assert_ptr_equal(line.match.machine, &lab->machines[node]);
			}
		}
	}
	lab_done(lab);
	free(lab);
}

static void without_a_certain_server(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		const char *provider, *name, *ip;
		enum rung worker;
		enum hold worker_hold, master_hold;
	} cases[] = {
		{ "gone", "openstack:///dddddddd-4444-4000-8000-00000000000d", "x", "", RUNG_REPLACE, HOLD_NONE,
		  HOLD_NO_SERVER },
		{ "nameless", "", "x", "", RUNG_NONE, HOLD_NO_SERVER, HOLD_NO_SERVER },
		{ "not verified", "openstack:///00000000-0000-4000-8000-000000000000", "x", "1.2.3.4", RUNG_NONE,
		  HOLD_NO_SERVER, HOLD_NO_SERVER },
	};
	struct lab *lab = xcalloc(1, sizeof *lab);
	lab_init(lab, 0, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int is_master = 0; is_master < 2; is_master++) {
			struct node node = { .name = cases[i].name,
					     .provider_id = cases[i].provider,
					     .system_uuid = "",
					     .machine_id = "",
					     .internal_ip = cases[i].ip };
			struct record record = { .role = is_master ? ROLE_MASTER : ROLE_WORKER };
			struct line line = { .node = &node, .record = &record };
			ladder_choose(lab_look(lab), &line);
			CHECK(line.rung == (is_master ? RUNG_NONE : cases[i].worker), "%s", cases[i].what);
			CHECK(line.hold == (is_master ? cases[i].master_hold : cases[i].worker_hold), "%s: %s",
			      cases[i].what, hold_name(line.hold));
		}
	}
	lab_done(lab);
	free(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_role_and_rung),
		cmocka_unit_test(without_a_certain_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
