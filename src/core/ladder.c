/* Which rung? By the symptom of the server and by what was tried in this case already. */
#include <string.h>

#include "core/plan.h"

struct server_states {
	const char *status;
	enum hold hold;
};

/* States in which the cloud is at work, or in which a person has put the server: not ours to end (law L11). */
static const struct server_states foreign[] = {
	{ "BUILD", HOLD_SERVER_BUSY },
	{ "REBUILD", HOLD_SERVER_BUSY },
	{ "REBOOT", HOLD_SERVER_BUSY },
	{ "HARD_REBOOT", HOLD_SERVER_BUSY },
	{ "MIGRATING", HOLD_SERVER_BUSY },
	{ "RESIZE", HOLD_SERVER_BUSY },
	{ "REVERT_RESIZE", HOLD_SERVER_BUSY },
	{ "PASSWORD", HOLD_SERVER_BUSY },
	{ "VERIFY_RESIZE", HOLD_SERVER_STATE },
	{ "SHELVED", HOLD_SERVER_STATE },
	{ "SHELVED_OFFLOADED", HOLD_SERVER_STATE },
	{ "PAUSED", HOLD_SERVER_STATE },
	{ "SUSPENDED", HOLD_SERVER_STATE },
	{ "RESCUE", HOLD_SERVER_STATE },
	{ "SOFT_DELETED", HOLD_SERVER_STATE },
};

/* The reboot that we asked for hangs: its host is slow or dead. A hard reboot is accepted, and is the way out. */
static bool is_hanging_reboot(const struct machine *machine, const struct record *record)
{
	bool is_rebooting = strcmp(machine->status, "REBOOT") == 0 || text_starts(machine->task_state, "reboot");
	return record->has_acted && record->last_rung == RUNG_REBOOT && is_rebooting;
}

enum hold server_hold(const struct machine *machine)
{
	if (machine->is_locked)
		return HOLD_SERVER_LOCKED;
	for (size_t i = 0; i < COUNT(foreign); i++) {
		if (strcmp(machine->status, foreign[i].status) == 0)
			return foreign[i].hold;
	}
	bool is_known = strcmp(machine->status, "ACTIVE") == 0 || strcmp(machine->status, "SHUTOFF") == 0 ||
			strcmp(machine->status, "ERROR") == 0;
	if (!is_known)
		return HOLD_SERVER_STATE;
	return machine->task_state[0] != '\0' ? HOLD_SERVER_BUSY : HOLD_NONE;
}

/* The rung of the ladder that comes after the last one; its last one when there is none. */
static const struct ladder_rung *next_rung(const struct ladder *ladder, enum rung last)
{
	for (size_t i = 0; i < ladder->count; i++) {
		if (ladder->rungs[i].rung > last) /* rungs grow in force */
			return &ladder->rungs[i];
	}
	return &ladder->rungs[ladder->count - 1];
}

/* What the rung comes to, for a server in this state: a guest that is off or silent does not hear a soft reboot. */
static enum rung by_symptom(const struct record *record, const struct machine *machine, enum rung rung)
{
	if (machine == NULL)
		return rung;
	bool is_off = strcmp(machine->status, "SHUTOFF") == 0;
	if (is_off && record->last_rung == RUNG_NONE && rung != RUNG_REPLACE)
		return RUNG_START;
	if (rung == RUNG_START && !is_off)
		rung = RUNG_REBOOT;
	bool is_deaf = is_off || strcmp(machine->status, "ERROR") == 0 || record->symptom == SYMPTOM_GUEST_SILENT;
	if (rung == RUNG_REBOOT && is_deaf)
		return RUNG_HARD_REBOOT;
	return rung;
}

/* The highest rung that this cloud has for this node, and why not a higher one. */
static void find_top(const struct ladder *ladder, can_repair can, const void *ctx, struct line *line)
{
	line->top = RUNG_NONE;
	for (size_t i = ladder->count; i-- > 0 && line->top == RUNG_NONE;) {
		const char *why = NULL;
		if (can(ctx, ladder->rungs[i].rung, line->node, line->match.machine, &why))
			line->top = ladder->rungs[i].rung;
		else if (line->beyond[0] == '\0' && why != NULL)
			line->beyond = why;
	}
}

static void choose(const struct record *record, const struct ladder *ladder, const struct policy *policy,
		   struct line *line)
{
	const struct machine *machine = line->match.machine;
	const struct ladder_rung *next = next_rung(ladder, record->last_rung);
	/* Past what can be done here the climb ends; what it tries again is the last thing that can be. */
	enum rung rung = next->rung > line->top ? line->top : next->rung;
	if (machine == NULL)
		rung = RUNG_REPLACE; /* the server is gone: nothing else is of use */
	line->rung = by_symptom(record, machine, rung);
	if (line->rung > line->top)
		line->top = line->rung; /* a hard reboot in place of the soft one */
	line->limit_ms = policy->rebuild_delay_after_reboot_ms;
	for (size_t i = 0; i < ladder->count; i++) {
		if (ladder->rungs[i].limit_ms > 0 &&
		    (ladder->rungs[i].rung == rung || ladder->rungs[i].rung == line->rung))
			line->limit_ms = ladder->rungs[i].limit_ms;
	}
}

void ladder_choose(const struct snapshot *snapshot, const struct policy *policy, can_repair can, const void *ctx,
		   struct line *line)
{
	const struct record *record = line->record;
	const struct ladder *ladder = record->ladder != NULL ? record->ladder : &policy->ladders[line->node->role];
	line->match = match_node(snapshot, line->node);
	const struct machine *machine = line->match.machine;
	bool is_gone = machine == NULL && line->match.missing[0] != '\0';
	line->rung = RUNG_NONE;
	if ((machine == NULL && !is_gone) || (machine != NULL && !line->match.is_verified)) {
		line->hold = HOLD_NO_SERVER;
		line->detail = line->node->is_phantom ? "several servers have its name" : "";
		return;
	}
	find_top(ladder, can, ctx, line);
	if (line->top == RUNG_NONE || (is_gone && line->top != RUNG_REPLACE)) {
		line->hold = HOLD_CANNOT;
		line->detail = line->beyond;
		if (is_gone && line->beyond[0] == '\0')
			line->detail = "the server is gone, and the ladder has no replacement";
		return;
	}
	choose(record, ladder, policy, line);
	line->hold = machine != NULL ? server_hold(machine) : HOLD_NONE;
	if (line->hold == HOLD_SERVER_BUSY && is_hanging_reboot(machine, record)) {
		line->rung = RUNG_HARD_REBOOT;
		line->hold = HOLD_NONE;
	}
	const char *why = NULL; /* the symptom may have led to a rung that was not asked for above */
	if (line->hold == HOLD_NONE && !can(ctx, line->rung, line->node, machine, &why)) {
		line->hold = HOLD_CANNOT;
		line->detail = why != NULL ? why : "";
	}
}
