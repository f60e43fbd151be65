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

static enum hold foreign_state(const struct machine *machine)
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

static enum rung first_rung(const struct machine *machine)
{
	if (strcmp(machine->status, "SHUTOFF") == 0)
		return RUNG_START;
	return strcmp(machine->status, "ERROR") == 0 ? RUNG_HARD_REBOOT : RUNG_REBOOT;
}

static enum rung worker_rung(const struct machine *machine, enum rung last)
{
	return last == RUNG_NONE ? first_rung(machine) : RUNG_REPLACE;
}

/* A master is never replaced here: soft, then hard reboot. */
static enum rung master_rung(const struct machine *machine, enum rung last)
{
	enum rung first = first_rung(machine);
	return last == RUNG_NONE ? first : RUNG_HARD_REBOOT;
}

void ladder_choose(const struct snapshot *snapshot, struct line *line)
{
	const struct record *record = line->record;
	line->match = match_node(snapshot, line->node);
	const struct machine *machine = line->match.machine;
	line->rung = RUNG_NONE;
	if (machine == NULL && line->match.missing[0] != '\0' && record->role == ROLE_WORKER) {
		line->rung = RUNG_REPLACE; /* the server is gone: nothing else is of use */
		return;
	}
	if (machine == NULL || !line->match.is_verified) {
		line->hold = HOLD_NO_SERVER;
		return;
	}
	line->rung = record->role == ROLE_MASTER ? master_rung(machine, record->last_rung)
						 : worker_rung(machine, record->last_rung);
	line->hold = foreign_state(machine);
	if (line->hold == HOLD_SERVER_BUSY && is_hanging_reboot(machine, record)) {
		line->rung = RUNG_HARD_REBOOT;
		line->hold = HOLD_NONE;
	}
}
