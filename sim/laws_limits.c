/* Laws about how much at once: L5 masters and the quorum of etcd, L6 budgets, L7 storms and outages. By what the world
 * knows, not by what the program thinks; with a margin for what nobody could know yet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/laws_int.h"
#include "sim/scenario_int.h"

/* A member that died within this time is not known to be dead: the grace period, or a probe, and a turn. */
#define MEMBER_KNOWN_MS (75 * SEC)
/* A little less than the program's own: the account is late. */
#define AT_ONCE_MS (100 * SEC)
#define ZONE_AT_ONCE_MS (285 * SEC)

/* ---- L5 ------------------------------------------------------------------------------------------------------------
 */

/* Its data is lost, and only a probe of its API server could tell, which nobody configured. */
static bool seems_well(const struct run *run, const struct track *track)
{
	for (size_t i = 0; i < run->config->checks_count[ROLE_MASTER]; i++) {
		if (run->laws->rules[ROLE_MASTER][i] == WRONG_ENDPOINT)
			return false;
	}
	return track->has_server && track->server.is_running && period_ms(run, &track->wrong[WRONG_READY]) < 0;
}

/* Other masters whose etcd member is well, or was until lately. */
int masters_well_beside(const struct run *run, const char *node, int64_t known_ms)
{
	const struct laws *laws = run->laws;
	int well = 0;
	for (size_t i = 0; i < laws->tracks_count; i++) {
		const struct track *track = &laws->tracks[i];
		if (!track->server.is_master || strcmp(track->node, node) == 0)
			continue;
		int64_t bad_ms = period_ms(run, &track->etcd_bad);
		well += bad_ms < 0 || bad_ms < known_ms || seems_well(run, track);
	}
	return well;
}

static void law_quorum(struct run *run, const struct sim_act *act)
{
	struct sim_etcd etcd;
	world_etcd(run->world, &etcd);
	int others = masters_well_beside(run, act->node, MEMBER_KNOWN_MS);
	if (etcd.members > 1 && others < etcd.members / 2 + 1)
		run_violation(run, "L5", "%s of %s, and only %d of %d members of etcd are well beside it",
			      sim_act_name(act->kind), act->node, others, etcd.members);
}

/* Replacing takes etcd's data away, unless it is on a volume of its own. */
static void law_master_replaced(struct run *run, const struct sim_act *act, int total)
{
	if (act->kind == ACT_REBOOT_SOFT || act->kind == ACT_REBOOT_HARD)
		return;
	enum master_replacement policy = run->config->policy.master_replacement;
	bool is_allowed = policy == MASTERS_ALWAYS || (policy == MASTERS_AUTO && run->scenario->has_etcd_volume);
	if (total == 1 || !is_allowed || act->kind == ACT_RESIZE || act->kind == ACT_DELETE_NODE)
		run_violation(run, "L5", "%s of master %s: it may only be rebooted", sim_act_name(act->kind),
			      act->node);
}

/* Its attempt has ended, and its slot is free: in a pause before the next one, or given up. */
static bool has_given_back(const struct run *run, const struct track *track)
{
	const struct replica *replica = run_leader(run);
	struct daemon_view view;
	if (replica == NULL)
		return false;
	daemon_look(replica->daemon, &view);
	const struct record *record = history_find(view.history, track->node);
	return ops_of_node_const(view.ops, track->node) == NULL && record != NULL && !record->is_climbing;
}

static void law_masters(struct run *run, const struct sim_act *act, const struct track *track)
{
	if (track == NULL || !track->server.is_master || !act_is_destructive(act->kind))
		return;
	int total = 0;
	for (size_t i = 0; i < run->laws->tracks_count; i++) {
		const struct track *other = &run->laws->tracks[i];
		if (!other->server.is_master)
			continue;
		total++;
		if (other != track && other->acted.ms != 0 && run->now.mono.ms - other->acted.ms < 2 * MINUTE &&
		    period_ms(run, &other->wrong[WRONG_READY]) >= 0 && !has_given_back(run, other))
			run_violation(run, "L5", "%s of %s while %s is under repair", sim_act_name(act->kind),
				      act->node, other->node);
	}
	law_quorum(run, act);
	law_master_replaced(run, act, total);
}

/* After every account: etcd has lost its quorum, and an act of ours made the difference. */
void limits_account(struct run *run)
{
	struct laws *laws = run->laws;
	struct sim_etcd etcd;
	world_etcd(run->world, &etcd);
	bool is_lost_now = laws->had_quorum && !etcd.has_quorum;
	laws->had_quorum = etcd.has_quorum;
	int64_t ago_ms = run->now.mono.ms - laws->master_acted.ms;
	const struct track *track = track_find(laws, laws->master);
	if (!is_lost_now || etcd.members < 2 || laws->master_acted.ms == 0 || ago_ms > 10 * MINUTE || track == NULL ||
	    period_ms(run, &track->etcd_bad) < 0)
		return;
	/* Had the others been well when it was done? Then somebody else has broken them since. */
	if (masters_well_beside(run, laws->master, ago_ms + MEMBER_KNOWN_MS) < etcd.members / 2 + 1)
		run_violation(run, "L5", "etcd lost its quorum by our act on %s", laws->master);
}

/* ---- L6 ------------------------------------------------------------------------------------------------------------
 */

enum place { IN_CLUSTER, IN_GROUP, IN_ZONE, ON_HOST };

static bool is_with(const struct track *a, const struct track *b, enum place place)
{
	bool is_extra = strstr(a->node, "-extra-") != NULL;
	switch (place) {
	case IN_CLUSTER:
		return true;
	case IN_GROUP:
		return is_extra == (strstr(b->node, "-extra-") != NULL);
	case IN_ZONE:
		return a->server.zone >= 0 && a->server.zone == b->server.zone;
	case ON_HOST:
		return a->server.host >= 0 && a->server.host == b->server.host;
	}
	return false;
}

static void law_budget_of(struct run *run, const struct sim_act *act, const struct track *track, enum place place,
			  struct limit limit)
{
	static const char *const names[] = { "the cluster", "its group", "its zone", "its host" };
	int total = 0;
	int acted = 0;
	for (size_t i = 0; i < run->laws->tracks_count && limit.value > 0; i++) {
		const struct track *other = &run->laws->tracks[i];
		if (!is_with(track, other, place) || (!other->has_server && !other->is_there))
			continue;
		total += place == ON_HOST || !other->server.is_master;
		/* What is being replaced comes back on another host; of twins it may not have been on this one at all.
		 */
		bool is_elsewhere = place == ON_HOST && (other->is_doomed || !other->has_server ||
							 strcmp(other->server.status, "ACTIVE") != 0);
		if (other != track && !other->server.is_master && !is_elsewhere && other->acted.ms != 0 &&
		    run->now.mono.ms - other->acted.ms < MINUTE && period_ms(run, &other->wrong[WRONG_READY]) >= 0 &&
		    !has_given_back(run, other))
			acted++;
	}
	if (limit.value > 0 && total > 0 && acted + 1 > limit_of(limit, total))
		run_violation(run, "L6", "%s of %s as number %d under repair of %d in %s", sim_act_name(act->kind),
			      act->node, acted + 1, total, names[place]);
}

static void law_budgets(struct run *run, const struct sim_act *act, const struct track *track)
{
	const struct policy *policy = &run->config->policy;
	law_budget_of(run, act, track, IN_CLUSTER, policy->max_concurrent_repairs);
	law_budget_of(run, act, track, IN_GROUP, policy->max_per_group);
	law_budget_of(run, act, track, IN_ZONE, policy->max_per_zone);
	if (track->server.host >= 0)
		law_budget_of(run, act, track, ON_HOST, policy->max_per_host);
	/* A repair begins, and acts some minutes later. */
	const struct laws *laws = run->laws;
	int begun = 0;
	for (size_t i = 0; i < BEGUN_TRUE_MAX && i < laws->begun_count; i++)
		begun += run->now.mono.ms - laws->begun[i].ms < 45 * MINUTE;
	if (policy->max_repairs_per_hour > 0 && begun >= policy->max_repairs_per_hour)
		run_violation(run, "L6", "%s of %s as repair number %d within the hour", sim_act_name(act->kind),
			      act->node, begun + 1);
}

/* ---- L7 ------------------------------------------------------------------------------------------------------------
 */

/* After an outage of the API all are told to be bad at once; in truth they were not. */
static int64_t bad_from(const struct track *track)
{
	const struct period *kubelet = &track->wrong[WRONG_KUBELET];
	int64_t told_ms = track->wrong[WRONG_READY].since.ms;
	bool is_dead = kubelet->since.ms != 0 && kubelet->until.ms == 0;
	return is_dead && kubelet->since.ms < told_ms ? kubelet->since.ms : told_ms;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = bad_from(*(const struct track *const *)a);
	int64_t y = bad_from(*(const struct track *const *)b);
	return x < y ? -1 : x > y;
}

static bool is_one_host(const struct track *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i]->server.host < 0 || list[i]->server.host != list[0]->server.host)
			return false;
	}
	return true;
}

/* In truth they failed together; what anybody can know is when they were told to be bad. */
static int64_t told_within_ms(const struct track *const *list, size_t count)
{
	int64_t first_ms = INT64_MAX;
	int64_t last_ms = 0;
	for (size_t i = 0; i < count; i++) {
		int64_t told_ms = list[i]->wrong[WRONG_READY].since.ms;
		first_ms = told_ms < first_ms ? told_ms : first_ms;
		last_ms = told_ms > last_ms ? told_ms : last_ms;
	}
	return last_ms - first_ms;
}

/* The most of them that turned bad at once, unless they shared a host. */
static int most_at_once(const struct track **list, size_t count, int64_t window_ms)
{
	int most = 0;
	qsort(list, count, sizeof *list, by_time);
	for (size_t first = 0, last = 0; last < count; last++) {
		while (bad_from(list[last]) - bad_from(list[first]) > window_ms)
			first++;
		int n = (int)(last - first + 1);
		bool is_told_so = told_within_ms(&list[first], (size_t)n) <= window_ms;
		if (n > most && is_told_so && (n < 2 || !is_one_host(&list[first], (size_t)n)))
			most = n;
	}
	return most;
}

/* The listing of the servers may be so old. */
#define LISTING_MS (5 * MINUTE)

/* The cloud tells why it is bad, or we are at work on it: that is no failure of the network. */
static bool is_down(const struct run *run, const struct track *track)
{
	bool was_busy = track->busy.until.ms != 0 && run->now.mono.ms - track->busy.until.ms < LISTING_MS;
	return track->acted.ms != 0 || was_busy || !track->has_server || strcmp(track->server.status, "ACTIVE") != 0;
}

static bool reaches(struct limit threshold, int together, int grown)
{
	bool is_share = threshold.is_percent ? together * 100 >= grown * threshold.value : together >= threshold.value;
	return together >= 2 && is_share;
}

/* The healer knows the same beginning as the world: a flip that nobody watched is not in its history. */
static bool is_seen_as_told(const struct run *run, const struct track *track)
{
	const struct replica *replica = run_leader(run);
	struct daemon_view view;
	if (replica == NULL)
		return false;
	daemon_look(replica->daemon, &view);
	const struct record *record = history_find(view.history, track->node);
	if (record == NULL)
		return true;
	int64_t apart_ms = record_bad_from(record).ms - bad_from(track);
	return apart_ms < MINUTE && apart_ms > -MINUTE;
}

/* Most of it turned bad at once, and there are other zones. A scale-out is no storm, and hides none. */
bool zone_is_frozen(const struct run *run, int zone)
{
	const struct track *bad[TRACKS_MAX];
	size_t count = 0;
	int grown = 0;
	int others = 0;
	for (size_t i = 0; i < run->laws->tracks_count && zone >= 0; i++) {
		const struct track *track = &run->laws->tracks[i];
		others += track->is_there && track->server.zone >= 0 && track->server.zone != zone;
		if (track->server.zone != zone || !track->is_there || !track_is_grown(run, track))
			continue;
		grown++;
		if (track_is_bad(run, track) && !is_down(run, track) && is_seen_as_told(run, track))
			bad[count++] = track;
	}
	return others > 0 &&
	       reaches(run->config->policy.zone_storm_threshold, most_at_once(bad, count, ZONE_AT_ONCE_MS), grown);
}

/* It may be frozen, as far as anybody can tell: two of its nodes are not well, and there are other zones. */
bool zone_may_be_frozen(const struct run *run, int zone)
{
	int unwell = 0;
	for (size_t i = 0; i < run->laws->tracks_count && zone >= 0; i++) {
		const struct track *track = &run->laws->tracks[i];
		unwell += track->server.zone == zone && track->is_there && !track_is_well(run, track);
	}
	return unwell >= 2;
}

struct sum {
	const struct track *mute[TRACKS_MAX]; /* bad, and the network could be why */
	size_t mutes, bad;
	int grown;
};

static void sum_up(const struct run *run, bool is_master, bool is_whole, struct sum *out)
{
	*out = (struct sum){ 0 };
	for (size_t i = 0; i < run->laws->tracks_count; i++) {
		const struct track *track = &run->laws->tracks[i];
		if (track->server.is_master != is_master || !track->is_there || !track_is_grown(run, track) ||
		    (!is_whole && zone_may_be_frozen(run, track->server.zone)))
			continue;
		out->grown++;
		if (!track_is_bad(run, track))
			continue;
		out->bad++;
		if (!is_down(run, track) && is_seen_as_told(run, track))
			out->mute[out->mutes++] = track;
	}
}

/* A cluster in which half of a role failed at once, or most of it is bad: as a whole, and also without the zones that
 * may be frozen on their own (whether they are, is not for the law to say). */
static void law_outage(struct run *run, const struct sim_act *act, const struct track *track)
{
	struct sum parts[2];
	struct limit threshold = run->config->policy.storm_threshold;
	bool is_storm = true;
	bool is_half = is_seen_as_told(run, track);
	for (int is_whole = 0; is_whole < 2; is_whole++) {
		struct sum *sum = &parts[is_whole];
		sum_up(run, track->server.is_master, is_whole != 0, sum);
		is_storm = is_storm && (int)sum->bad > limit_of(threshold, sum->grown);
		is_half = is_half && reaches(threshold, most_at_once(sum->mute, sum->mutes, AT_ONCE_MS), sum->grown);
	}
	if (is_storm)
		run_violation(run, "L7", "%s of %s in a storm: %zu of %d are bad", sim_act_name(act->kind), act->node,
			      parts[1].bad, parts[1].grown);
	if (is_half)
		run_violation(run, "L7", "%s of %s, and half of %d turned bad at once", sim_act_name(act->kind),
			      act->node, parts[1].grown);
}

/* The first act of a case is refused in a storm; one that has begun goes on. */
static void law_storms(struct run *run, const struct replica *replica, const struct sim_act *act,
		       const struct track *track)
{
	if (track->acted.ms != 0)
		return;
	law_outage(run, act, track);
	if (is_seen_as_told(run, track) && zone_is_frozen(run, track->server.zone))
		run_violation(run, "L7", "%s of %s, whose zone is in a storm", sim_act_name(act->kind), act->node);
	if (net_api_is_bad(run, replica))
		run_violation(run, "L7", "%s of %s, while the API fails for %s", sim_act_name(act->kind), act->node,
			      replica->name);
}

void limits_check(struct run *run, const struct replica *replica, const struct sim_act *act, struct track *track)
{
	law_masters(run, act, track);
	if (track == NULL || !act_is_beginning(track, act->kind))
		return;
	law_storms(run, replica, act, track);
	if (!track->server.is_master)
		law_budgets(run, act, track);
}
