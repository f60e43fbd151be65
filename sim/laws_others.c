/* Laws about other people's wishes: L8 switched off or paused, L11 what belongs to others. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kube/reflector.h"
#include "sim/laws_int.h"

/* A switch takes effect within a second of being visible, and the request has its way to go. */
#define SWITCH_MS (1 * SEC + 100)
/* A watch that brings nothing counts as dead by then, and what is not known is not done. */
#define SWITCH_STALE_MS (REFLECTOR_STALE_MS + 30 * SEC)
/* The taint of somebody who begins, and our act, may cross. */
#define OTHERS_MS (15 * SEC)

/* ---- pauses --------------------------------------------------------------------------------------------------------
 */

void laws_paused(struct run *run, const struct pause_truth *pause)
{
	for (size_t i = 0; i < PAUSES_TRUE_MAX; i++) {
		struct pause_truth *free_one = &run->laws->pauses[i];
		if (free_one->since.ms != 0)
			continue;
		*free_one = *pause;
		free_one->since = run->now.mono;
		memset(free_one->seen, 0, sizeof free_one->seen);
		return;
	}
}

void laws_unpaused(struct run *run, const char *node)
{
	for (size_t i = 0; i < PAUSES_TRUE_MAX; i++) {
		struct pause_truth *pause = &run->laws->pauses[i];
		bool is_meant =
			node != NULL ? pause->is_annotation && strcmp(pause->name, node) == 0 : !pause->is_annotation;
		if (is_meant)
			pause->since.ms = 0;
	}
}

void laws_heard(struct run *run, const struct replica *replica, enum watched what, struct mono sent)
{
	for (size_t i = 0; i < PAUSES_TRUE_MAX; i++) {
		struct pause_truth *pause = &run->laws->pauses[i];
		bool is_there = pause->since.ms != 0 && pause->is_annotation == (what == WATCHED_NODES);
		if (is_there && sent.ms >= pause->since.ms && pause->seen[replica->index].ms == 0)
			pause->seen[replica->index] = run->now.mono;
	}
}

bool is_node_paused_by_annotation(struct run *run, const char *node)
{
	char path[NODE_NAME_BYTES + 32];
	(void)snprintf(path, sizeof path, "/api/v1/nodes/%s", node);
	return strstr(sim_kube_object(world_kube(run->world), path), ANNOTATION_PAUSED) != NULL;
}

static bool covers(const struct pause_truth *pause, const struct track *track)
{
	if (pause->is_garbage)
		return true;
	switch (pause->what) {
	case PAUSE_CLUSTER:
		return true;
	case PAUSE_GROUP:
		return !track->server.is_master &&
		       (strcmp(pause->name, "extra") == 0) == (strstr(track->node, "-extra-") != NULL);
	case PAUSE_NODE:
		return strcmp(pause->name, track->node) == 0;
	}
	return false;
}

static bool is_in_force(const struct run *run, const struct pause_truth *pause)
{
	return pause->since.ms != 0 && (pause->until.ms == 0 || run->now.wall.ms < pause->until.ms - CLOCK_SLACK_MS);
}

const struct pause_truth *pause_of(const struct run *run, const struct track *track)
{
	for (size_t i = 0; i < PAUSES_TRUE_MAX; i++) {
		const struct pause_truth *pause = &run->laws->pauses[i];
		if (is_in_force(run, pause) && covers(pause, track))
			return pause;
	}
	return NULL;
}

bool was_paused_lately(const struct run *run, const struct track *track, int64_t ago_ms)
{
	for (size_t i = 0; i < PAUSES_TRUE_MAX; i++) {
		const struct pause_truth *pause = &run->laws->pauses[i];
		bool was =
			pause->since.ms != 0 && (pause->until.ms == 0 || run->now.wall.ms < pause->until.ms + ago_ms);
		if (was && covers(pause, track))
			return true;
	}
	return false;
}

static void law_paused(struct run *run, const struct replica *replica, const struct sim_act *act,
		       const struct track *track)
{
	for (size_t i = 0; i < PAUSES_TRUE_MAX; i++) {
		const struct pause_truth *pause = &run->laws->pauses[i];
		if (!is_in_force(run, pause) || !covers(pause, track) ||
		    (pause->is_annotation && !is_node_paused_by_annotation(run, act->node)))
			continue;
		struct mono seen = pause->seen[replica->index];
		int64_t since_ms = run->now.mono.ms - pause->since.ms;
		if (seen.ms != 0 && run->now.mono.ms - seen.ms > SWITCH_MS)
			run_violation(run, "L8", "%s of %s %lld ms after its pause was seen by %s",
				      sim_act_name(act->kind), act->node, (long long)(run->now.mono.ms - seen.ms),
				      replica->name);
		else if (seen.ms == 0 && since_ms > SWITCH_STALE_MS)
			run_violation(run, "L8", "%s of %s, paused for %lld s, by %s that does not watch it",
				      sim_act_name(act->kind), act->node, (long long)since_ms / 1000, replica->name);
	}
}

/* The label is polled, then one second. */
static void law_label(struct run *run, const struct sim_act *act)
{
	int64_t seen_ms = 2 * run->config->policy.monitor_interval_ms + 60 * SEC + 1 * SEC;
	if (!run->laws->is_label_on && run->now.mono.ms - run->laws->label_changed.ms > seen_ms)
		run_violation(run, "L8", "%s of %s, and healing has been off for %lld s", sim_act_name(act->kind),
			      act->node, (long long)(run->now.mono.ms - run->laws->label_changed.ms) / 1000);
}

/* ---- what belongs to others ----------------------------------------------------------------------------------------
 */

void laws_lock(struct run *run, const char *node, bool is_locked)
{
	account_take(run);
	struct track *track = track_find(run->laws, node);
	if (track == NULL)
		return;
	track->locked.ms = is_locked ? run->now.mono.ms : 0;
	(void)TEXT_COPY(track->locked_server, track->server.id);
}

static void law_others(struct run *run, const struct sim_act *act, const struct track *track)
{
	int64_t polled_ms = 2 * run->config->policy.monitor_interval_ms + 10 * SEC;
	bool is_same_server = strcmp(track->server.id, act->server) == 0;
	/* Who comes later finds a repair half done: finishing is safer than stopping. */
	bool is_ours_older = track->acted.ms != 0 && track->acted.ms < track->others.since.ms;
	const struct {
		const char *what;
		int64_t for_ms, known_ms;
	} claims[] = {
		{ "somebody else is at work on", is_ours_older ? -1 : period_ms(run, &track->others), OTHERS_MS },
		{ "a person stopped", period_ms(run, &track->stopped), polled_ms },
		{ "somebody migrates", period_ms(run, &track->migrating), OTHERS_MS },
		{ "somebody locked",
		  track->locked.ms != 0 && strcmp(track->locked_server, act->server) == 0
			  ? run->now.mono.ms - track->locked.ms
			  : -1,
		  polled_ms },
	};
	for (size_t i = 0; i < COUNT(claims) && is_same_server; i++) {
		if (claims[i].for_ms > claims[i].known_ms)
			run_violation(run, "L11", "%s of %s, which %s for %lld s", sim_act_name(act->kind), act->node,
				      claims[i].what, (long long)claims[i].for_ms / 1000);
	}
	int64_t cordoned_ms = period_ms(run, &track->cordoned);
	if (!run->config->policy.is_cordoned_healed && track->acted.ms == 0 && cordoned_ms > OTHERS_MS + ACCOUNT_MS)
		run_violation(run, "L11", "%s of %s, which somebody cordoned %lld s ago", sim_act_name(act->kind),
			      act->node, (long long)cordoned_ms / 1000);
}

void others_check(struct run *run, const struct replica *replica, const struct sim_act *act, struct track *track)
{
	if (!act_is_beginning(track, act->kind))
		return;
	law_label(run, act);
	if (track == NULL)
		return;
	law_paused(run, replica, act, track);
	law_others(run, act, track);
}
