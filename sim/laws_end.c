/* The end of a run. L10: after the calm every repairable node is well; the others are held for a reason that is true.
 * L13: nothing of ours is left on a node that is well. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/laws_int.h"
#include "sim/scenario_int.h"

#define ENDPOINT_WELL_MS (5 * MINUTE)

/* ---- L10 -----------------------------------------------------------------------------------------------------------
 */

static bool is_state_of_others(const struct sim_server *server)
{
	static const char *const states[] = { "PAUSED",  "SUSPENDED",         "RESCUE",   "VERIFY_RESIZE",
					      "SHELVED", "SHELVED_OFFLOADED", "MIGRATING" };
	for (size_t i = 0; i < COUNT(states); i++) {
		if (strcmp(server->status, states[i]) == 0)
			return true;
	}
	return server->is_stopped_by_person;
}

/* By one role, all are held. */
static bool is_storm_true(const struct run *run)
{
	int bad[ROLES_COUNT] = { 0 };
	int grown[ROLES_COUNT] = { 0 };
	int all[ROLES_COUNT] = { 0 };
	for (size_t i = 0; i < run->laws->tracks_count; i++) {
		const struct track *track = &run->laws->tracks[i];
		bool exists = track->is_there || track->has_server; /* a server that never joined counts too */
		bool is_bad = exists && !track_is_well(run, track);
		/* Frozen zones are counted apart, and young nodes not at all. */
		bool is_apart = zone_may_be_frozen(run, track->server.zone) || (!is_bad && !track_is_grown(run, track));
		grown[track_role(track)] += exists && !is_apart;
		bad[track_role(track)] += is_bad && !is_apart;
		all[track_role(track)] += is_bad;
	}
	struct limit threshold = run->config->policy.storm_threshold;
	for (int role = 0; role < ROLES_COUNT; role++) {
		bool is_half = bad[role] >= 2 && bad[role] * 2 >= grown[role];
		if (bad[role] > limit_of(threshold, grown[role]) || all[role] > limit_of(threshold, grown[role]) ||
		    is_half)
			return true;
	}
	return false;
}

static bool is_master_irreplaceable(const struct run *run, const struct track *track)
{
	enum master_replacement policy = run->config->policy.master_replacement;
	return track->server.is_master &&
	       (run->scenario->masters == 1 || policy == MASTERS_NEVER || !run->scenario->has_etcd_volume);
}

static bool is_quorum_short(const struct run *run, const struct track *track)
{
	struct sim_etcd etcd;
	world_etcd(run->world, &etcd);
	return track->server.is_master &&
	       masters_well_beside(run, track->node, 0) < etcd.members / 2 + 1 + (etcd.members == 1);
}

/* A second witness that comes and goes is none: it would have to agree for its whole duration. */
static bool lacks_witness(const struct run *run, const struct track *track)
{
	enum role role = track_role(track);
	int steady = 0;
	for (size_t i = 0; i < run->config->checks_count[role]; i++) {
		const struct conf_check *check = &run->config->checks[role][i];
		int64_t wrong_ms = period_ms(run, &track->wrong[run->laws->rules[role][i]]);
		steady += wrong_ms > check->unhealthy_duration_ms + check->max_age_ms + MINUTE;
	}
	return steady < witnesses_needed(run, track) && witnesses_needed(run, track) > 1;
}

/* What belongs to others, or is switched off by them. */
static bool is_theirs(const struct run *run, const struct track *track, enum hold hold)
{
	bool is_locked = track->locked.ms != 0 && strcmp(track->locked_server, track->server.id) == 0;
	bool is_their_state = is_state_of_others(&track->server);
	if (hold == HOLD_SERVER_LOCKED)
		return is_locked;
	if (hold == HOLD_SERVER_STATE)
		return is_their_state;
	if (hold == HOLD_LEFT)
		return is_their_state || is_locked || track->server.is_others;
	if (hold == HOLD_CORDONED)
		return period_ms(run, &track->cordoned) >= 0 && !run->config->policy.is_cordoned_healed;
	if (hold == HOLD_PAUSED)
		return pause_of(run, track) != NULL;
	return track->server.is_others;
}

/* Of several servers with one name, and no Node, nobody knows which is the cluster's. */
static bool is_name_shared(const struct run *run, const struct track *track)
{
	int servers = 0;
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		world_server(run->world, i, &server);
		servers += strcmp(server.node, track->node) == 0;
	}
	return !track->is_there && servers > 1;
}

/* Is what the healer says true? Nothing is believed. */
static bool is_hold_true(struct run *run, const struct track *track, enum hold hold)
{
	switch (hold) {
	case HOLD_GIVEN_UP:
		return true; /* after bounded tries: what the healer did is in its history */
	case HOLD_DRY_RUN:
		return run->config->policy.is_dry_run;
	case HOLD_STORM:
	case HOLD_OUTAGE:
		return is_storm_true(run);
	case HOLD_ZONE:
		return zone_may_be_frozen(run, track->server.zone);
	case HOLD_QUORUM:
		return is_quorum_short(run, track);
	case HOLD_NO_SERVER:
		return !track->has_server || is_name_shared(run, track);
	case HOLD_SERVER_LOCKED:
	case HOLD_SERVER_STATE:
	case HOLD_LEFT:
	case HOLD_AUTOSCALER:
	case HOLD_OTHER_HEALER:
	case HOLD_UPGRADE:
	case HOLD_CORDONED:
	case HOLD_PAUSED:
		return is_theirs(run, track, hold);
	case HOLD_DURATION:
	case HOLD_WITNESSES:
		return lacks_witness(run, track);
	case HOLD_CANNOT:
		return is_master_irreplaceable(run, track) || (track->server.is_master && !track->has_server);
	/* These pass by themselves, or are no excuse. */
	case HOLD_NONE:
	case HOLD_REPAIRING:
	case HOLD_SWITCHES:
	case HOLD_API:
	case HOLD_LEASES:
	case HOLD_MACHINE_HEALTH_CHECK:
	case HOLD_MASAKARI:
	case HOLD_RATE:
	case HOLD_VIEW_STALE:
	case HOLD_CLOUD_STALE:
	case HOLD_CLOUD_SUSPECT:
	case HOLD_CLOCK:
	case HOLD_STANDBY:
	case HOLD_JOURNAL:
	case HOLD_DISABLED:
	case HOLD_CLUSTER_STATE:
	case HOLD_CLUSTER_BUSY:
	case HOLD_YOUNG:
	case HOLD_DELETED:
	case HOLD_COOLDOWN:
	case HOLD_MASTER_BUSY:
	case HOLD_BUDGET:
	case HOLD_SERVER_BUSY:
	case HOLD_BACKOFF:
	case HOLDS_COUNT:
		return false;
	}
	return false;
}

/* Nobody could have healed it: all replicas are on masters that are down, or the API has lost its quorum. */
static bool is_beyond_help(const struct run *run)
{
	struct sim_etcd etcd;
	world_etcd(run->world, &etcd);
	for (int i = 0; i < run->replicas_count; i++) {
		if (run->replicas[i].daemon != NULL || run->replicas[i].start_at.ms != 0)
			return !etcd.has_quorum;
	}
	return true;
}

static bool is_excused(struct run *run, const struct track *track, bool is_telling)
{
	const struct replica *replica = run_leader(run);
	/* NeverJoined looks for servers of the cluster's own stack, not for those of a group with another. */
	bool is_unlooked = !track->is_there && strstr(track->node, "-extra-") != NULL;
	if (is_beyond_help(run) || is_unlooked)
		return true;
	if (replica == NULL)
		return false;
	struct daemon_view view;
	daemon_look(replica->daemon, &view);
	for (size_t i = 0; i < view.plan->count; i++) {
		const struct line *line = &view.plan->lines[i];
		if (strcmp(line->record->node, track->node) != 0)
			continue;
		if (is_telling) {
			run_trace(run, "at the end %s is held: %s %s (%s; tried %s)", track->node,
				  hold_name(line->hold), line->detail, line->record->last_note, line->record->tried);
			run->stats.given_up += line->hold == HOLD_GIVEN_UP;
		}
		return is_hold_true(run, track, line->hold);
	}
	if (is_telling)
		run_trace(run, "at the end nothing is said of %s: server %s %s %s", track->node,
			  track->has_server ? track->server.id : "gone", track->server.status,
			  track->server.task_state);
	return false;
}

/* Of a server without a Node only NeverJoined knows. */
static bool is_missing(const struct run *run, const struct track *track)
{
	return !track->is_there && period_ms(run, &track->wrong[WRONG_ABSENT]) < 0;
}

/* Something is wrong that the configured checks see. */
static bool is_unwell(const struct run *run, const struct track *track)
{
	if (is_missing(run, track))
		return false; /* scaled down, too */
	return track_witnesses(run, track, false) > 0 && !track_is_well(run, track);
}

bool laws_are_settled(struct run *run)
{
	account_take(run);
	for (size_t i = 0; i < run->laws->tracks_count; i++) {
		const struct track *track = &run->laws->tracks[i];
		if (is_unwell(run, track) && !run->config->policy.is_dry_run && !is_excused(run, track, false))
			return false;
	}
	return run_leader(run) != NULL || is_beyond_help(run);
}

/* A repair of it is running, or it is paused: not touched, to tidy up neither. */
static bool is_in_hand(const struct run *run, const struct track *track)
{
	const struct replica *replica = run_leader(run);
	struct daemon_view view;
	if (replica == NULL || was_paused_lately(run, track, ENDPOINT_WELL_MS))
		return true;
	daemon_look(replica->daemon, &view);
	return ops_of_node_const(view.ops, track->node) != NULL;
}

/* ---- L13 -----------------------------------------------------------------------------------------------------------
 */

static void law_marks(struct run *run, const struct track *track)
{
	char mark[64];
	bool is_cordoned = sim_kube_is_cordoned(world_kube(run->world), track->node, mark, sizeof mark);
	if (is_cordoned && mark[0] != '\0')
		run_violation(run, "L13", "%s is well, and our cordon %s is still on it", track->node, mark);
	char path[NODE_NAME_BYTES + 32];
	(void)snprintf(path, sizeof path, "/api/v1/nodes/%s", track->node);
	const char *node = sim_kube_object(world_kube(run->world), path);
	const struct period *endpoint = &track->wrong[WRONG_ENDPOINT];
	bool is_long_well = endpoint->since.ms == 0 ||
			    (endpoint->until.ms != 0 && run->now.mono.ms - endpoint->until.ms > ENDPOINT_WELL_MS);
	enum role role = track_role(track);
	for (size_t i = 0; i < run->config->checks_count[role] && is_long_well; i++) {
		const char *key = run->config->checks[role][i].unhealthy_annotation;
		if (key != NULL && key[0] != '\0' && strstr(node, key) != NULL)
			run_violation(run, "L13", "the API server on %s is well, and %s is still on it", track->node,
				      key);
	}
}

void laws_end(struct run *run)
{
	account_take(run);
	for (size_t i = 0; i < run->laws->tracks_count; i++) {
		const struct track *track = &run->laws->tracks[i];
		if (track->is_there && track_is_well(run, track)) {
			if (!is_in_hand(run, track))
				law_marks(run, track);
			continue;
		}
		if (is_missing(run, track)) {
			run->stats.never_joined += track->has_server; /* a server without a Node: nobody looks for it */
			continue;
		}
		if (!is_unwell(run, track))
			continue;
		run->stats.unhealed++;
		if (!run->config->policy.is_dry_run && !is_excused(run, track, true))
			run_violation(run, "L10", "%s is not well after the calm, and nothing true excuses it",
				      track->node);
	}
}
