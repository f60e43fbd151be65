/* Is it the nodes, or what lies between them and us? A network, a zone or a control plane that fails makes many nodes
 * look dead at once; repairing them would make an outage a catastrophe (law L7). */
#include <stdlib.h>
#include <string.h>

#include "core/plan.h"

/* Nodes that turned bad within this time of each other failed "at once": a controller notices a cut within its grace
 * period and a few seconds. */
#define AT_ONCE_MS (2 * MINUTE)
#define ZONE_AT_ONCE_MS (5 * MINUTE) /* a zone's failure is told from single ones by this alone */
/* Late heartbeats come before bad conditions; so many more of them tell that something has just begun. */
#define LEASES_AHEAD_MIN 2

struct zone_count {
	const char *zone;
	int grown, bad;
};
struct zones {
	struct zone_count list[ZONES_MAX];
	size_t count;
};

/* NULL: nodes without a zone, and more zones than there is room for, count for the cluster as a whole. */
static struct zone_count *zone_of(struct zones *zones, const char *zone)
{
	if (zone[0] == '\0')
		return NULL;
	for (size_t i = 0; i < zones->count; i++) {
		if (zones->list[i].zone == zone || strcmp(zones->list[i].zone, zone) == 0)
			return &zones->list[i];
	}
	if (zones->count == ZONES_MAX)
		return NULL;
	zones->list[zones->count] = (struct zone_count){ .zone = zone };
	return &zones->list[zones->count++];
}

static bool is_counted(const struct line *line, const struct policy *policy, struct now now)
{
	return !line->node->is_phantom && node_is_grown(line->node, line->record, policy, now);
}

/* ---- at once ------------------------------------------------------------------------------------------------------
 */

struct flip {
	int64_t at_ms;
	const char *host; /* "" unknown */
	bool is_outside;  /* of the frozen zones */
};

static int by_time(const void *a, const void *b)
{
	int64_t x = ((const struct flip *)a)->at_ms;
	int64_t y = ((const struct flip *)b)->at_ms;
	return x < y ? -1 : x > y;
}

/* Servers of one compute host fail together when it does: that is no outage of the network. */
static bool is_one_host(const struct flip *flips, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (flips[i].host[0] == '\0' || strcmp(flips[i].host, flips[0].host) != 0)
			return false;
	}
	return true;
}

static bool is_any_outside(const struct flip *flips, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (flips[i].is_outside)
			return true;
	}
	return false;
}

/* The most nodes that turned bad within that time of each other, one of them outside of the frozen zones; 0 when they
 * are those of one compute host. */
static int most_at_once(struct flip *flips, size_t count, int64_t window_ms)
{
	int most = 0;
	qsort(flips, count, sizeof *flips, by_time);
	for (size_t first = 0, last = 0; last < count; last++) {
		while (flips[last].at_ms - flips[first].at_ms > window_ms)
			first++;
		int n = (int)(last - first + 1);
		bool is_of_many = n < 2 || !is_one_host(&flips[first], (size_t)n);
		if (n > most && is_of_many && is_any_outside(&flips[first], (size_t)n))
			most = n;
	}
	return most;
}

/* The cloud itself says that the machine does not run: no network can make it say so. */
static bool is_down(const struct snapshot *snapshot, const struct line *line)
{
	const struct machine *machine = line->match.machine;
	if (!snapshot->is_cloud_fresh)
		return false;
	if (machine == NULL)
		return line->match.missing[0] != '\0';
	return strcmp(machine->status, "SHUTOFF") == 0 || strcmp(machine->status, "ERROR") == 0;
}

/* Of which nodes? */
struct among {
	int role;         /* -1: of any */
	const char *zone; /* NULL: of any */
	bool is_outside;  /* only those outside of the frozen zones */
};

static int at_once(const struct snapshot *snapshot, const struct policy *policy, struct arena *arena,
		   const struct plan *plan, struct among among)
{
	struct flip *flips = arena_array(arena, struct flip, plan->count + 1);
	size_t count = 0;
	for (size_t i = 0; i < plan->count; i++) {
		const struct line *line = &plan->lines[i];
		bool is_outside = outage_zone(&plan->outage, line->node->zone) == NULL;
		bool is_here = (among.zone == NULL || strcmp(line->node->zone, among.zone) == 0) &&
			       (among.role < 0 || (int)line->node->role == among.role) &&
			       (is_outside || !among.is_outside);
		if (!is_here || is_down(snapshot, line) || !is_counted(line, policy, snapshot->now))
			continue;
		flips[count++] =
			(struct flip){ record_bad_from(line->record).ms,
				       line->match.machine != NULL ? line->match.machine->host_id : "", is_outside };
	}
	return most_at_once(flips, count, among.zone != NULL ? ZONE_AT_ONCE_MS : AT_ONCE_MS);
}

/* At least so many of them as the threshold names: "half" of four is two. */
static bool reaches(int count, struct limit threshold, int size)
{
	if (count < 2)
		return false;
	return threshold.is_percent ? count * 100 >= size * threshold.value : count >= threshold.value;
}

/* ---- zones --------------------------------------------------------------------------------------------------------
 */

static void count_zones(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
			const struct plan *plan, struct zones *zones)
{
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct node *node = snapshot->nodes[i];
		if (!policy->is_enabled[node->role])
			continue; /* it is never bad, and would hide those that are */
		struct zone_count *zone = zone_of(zones, node->zone);
		if (zone != NULL && !node->is_phantom &&
		    node_is_grown(node, history_find(history, node->name), policy, snapshot->now))
			zone->grown++;
	}
	for (size_t i = 0; i < plan->count; i++) {
		const struct line *line = &plan->lines[i];
		struct zone_count *zone = zone_of(zones, line->node->zone);
		if (zone != NULL && is_counted(line, policy, snapshot->now))
			zone->bad++;
	}
}

static void freeze_zones(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
			 struct arena *arena, struct plan *plan, struct zones *zones)
{
	count_zones(snapshot, history, policy, plan, zones);
	for (size_t i = 0; i < zones->count && zones->count > 1; i++) {
		const struct zone_count *zone = &zones->list[i];
		if (zone->bad < 2)
			continue;
		int together = at_once(snapshot, policy, arena, plan, (struct among){ -1, zone->zone, false });
		if (!reaches(together, policy->zone_storm_threshold, zone->grown))
			continue;
		plan->outage.frozen[plan->outage.frozen_count++] =
			(struct frozen_zone){ zone->zone, arena_printf(arena, "zone %s: %d of %d nodes at once",
								       zone->zone, together, zone->grown) };
	}
}

const struct frozen_zone *outage_zone(const struct outage *outage, const char *zone)
{
	for (size_t i = 0; i < outage->frozen_count; i++) {
		if (strcmp(outage->frozen[i].zone, zone) == 0)
			return &outage->frozen[i];
	}
	return NULL;
}

/* ---- the cluster --------------------------------------------------------------------------------------------------
 */

static void freeze(struct outage *outage, enum hold hold, const char *detail)
{
	if (outage->hold != HOLD_NONE)
		return;
	outage->hold = hold;
	outage->detail = detail;
}

static void judge_role(const struct snapshot *snapshot, const struct policy *policy, struct arena *arena,
		       struct plan *plan, enum role role, const struct history *history)
{
	int grown = (int)plan->grown_count[role];
	int bad = (int)plan->bad_count[role];
	for (size_t i = 0; i < snapshot->nodes_count && plan->outage.frozen_count > 0; i++) {
		const struct node *node = snapshot->nodes[i];
		const struct record *record = history_find(history, node->name);
		if (node->role != role || node->is_phantom || outage_zone(&plan->outage, node->zone) == NULL ||
		    !policy->is_enabled[role] || !node_is_grown(node, record, policy, snapshot->now))
			continue;
		grown--;
		bad -= record != NULL && record->is_bad_now;
	}
	if (bad > limit_of(policy->storm_threshold, grown))
		freeze(&plan->outage, HOLD_STORM, arena_printf(arena, "%d of %d %ss", bad, grown, role_name(role)));
	/* Frozen zones aside; and then with them, when what failed outside may be a part of the same. */
	for (int is_whole = 0; is_whole < 2; is_whole++) {
		int size = is_whole ? (int)plan->grown_count[role] : grown;
		struct among among = { (int)role, NULL, !is_whole };
		int together = at_once(snapshot, policy, arena, plan, among);
		if (reaches(together, policy->storm_threshold, size))
			freeze(&plan->outage, HOLD_OUTAGE,
			       arena_printf(arena, "%d of %d %ss within two minutes", together, size, role_name(role)));
	}
}

void outage_judge(const struct snapshot *snapshot, const struct history *history, const struct policy *policy,
		  struct arena *arena, struct plan *plan)
{
	struct zones zones = { 0 };
	plan->outage = (struct outage){ .detail = "" };
	if (snapshot->is_api_troubled)
		freeze(&plan->outage, HOLD_API, arena_strdup(arena, snapshot->api_trouble));
	if (plan->count == 0)
		return;
	size_t unrecorded = history->unrecorded_bad[ROLE_MASTER] + history->unrecorded_bad[ROLE_WORKER];
	if (unrecorded > 0)
		freeze(&plan->outage, HOLD_STORM,
		       arena_printf(arena, "%zu bad nodes more than are kept account of", unrecorded));
	freeze_zones(snapshot, history, policy, arena, plan, &zones);
	if (plan->outage.frozen_count * 2 > zones.count)
		freeze(&plan->outage, HOLD_STORM,
		       arena_printf(arena, "%zu of %zu zones", plan->outage.frozen_count, zones.count));
	for (int role = 0; role < ROLES_COUNT; role++)
		judge_role(snapshot, policy, arena, plan, (enum role)role, history);
	size_t bad = plan->bad_count[ROLE_MASTER] + plan->bad_count[ROLE_WORKER];
	int late_max = limit_of(policy->storm_threshold, (int)snapshot->leases_total);
	if ((int)snapshot->leases_late > late_max && snapshot->leases_late >= bad + LEASES_AHEAD_MIN)
		freeze(&plan->outage, HOLD_LEASES,
		       arena_printf(arena, "%zu of %zu heartbeats are late", snapshot->leases_late,
				    snapshot->leases_total));
}

void history_note_outage(struct history *history, const struct outage *outage, struct mono now)
{
	if (outage->hold == HOLD_STORM || outage->hold == HOLD_OUTAGE || outage->hold == HOLD_LEASES)
		history->storm_at = now;
	for (size_t i = 0; i < outage->frozen_count; i++)
		history_freeze(history, outage->frozen[i].zone, now);
}
