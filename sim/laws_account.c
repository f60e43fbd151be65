/* The account of the world, taken every few seconds and at every act: what is wrong with each node by the world's own
 * truth, and since when. And law L9: what is wrong is told of. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim/laws_int.h"

/* How long a check may go on seeing what is over: one probe, one listing of the Leases, one round of the cloud. */
static int64_t afterglow_ms(const struct run *run, enum wrong wrong)
{
	switch (wrong) {
	case WRONG_READY:
	case WRONG_ABSENT:
		return KNOWN_MS;
	case WRONG_ENDPOINT:
	case WRONG_KUBELET:
		return KNOWN_MS + 20 * SEC;
	case WRONG_LEASE:
		return KNOWN_MS + MINUTE;
	case WRONG_SERVER:
		return run->config->policy.monitor_interval_ms + MINUTE + KNOWN_MS;
	case WRONGS_COUNT:
		break;
	}
	return 0;
}

struct track *track_find(struct laws *laws, const char *node)
{
	for (size_t i = 0; i < laws->tracks_count; i++) {
		if (strcmp(laws->tracks[i].node, node) == 0)
			return &laws->tracks[i];
	}
	return NULL;
}

static struct track *track_get(struct laws *laws, const struct sim_server *server)
{
	struct track *track = track_find(laws, server->node);
	if (track != NULL || laws->tracks_count == TRACKS_MAX || server->node[0] == '\0')
		return track;
	track = &laws->tracks[laws->tracks_count++];
	*track = (struct track){ .server = *server };
	(void)TEXT_COPY(track->node, server->node);
	return track;
}

enum role track_role(const struct track *track)
{
	return track->server.is_master ? ROLE_MASTER : ROLE_WORKER;
}

/* True: it began or ended just now. */
static bool note(const struct run *run, struct period *period, bool is_so)
{
	bool was_so = period->since.ms != 0 && period->until.ms == 0;
	if (was_so == is_so)
		return false;
	if (is_so)
		*period = (struct period){ .since = run->now.mono };
	else
		period->until = run->now.mono;
	return true;
}

int64_t period_ms(const struct run *run, const struct period *period)
{
	return period->since.ms != 0 && period->until.ms == 0 ? run->now.mono.ms - period->since.ms : -1;
}

/* ---- what is wrong -------------------------------------------------------------------------------------------------
 */

static bool is_state_bad(const struct run *run, const struct track *track)
{
	enum role role = track_role(track);
	const char *status = track->has_server ? track->server.status : "GONE";
	for (size_t i = 0; i < run->config->checks_count[role]; i++) {
		const struct conf_check *check = &run->config->checks[role][i];
		for (size_t k = 0; k < check->states_count; k++) {
			if (strcmp(check->states[k], status) == 0)
				return true;
		}
	}
	return false;
}

static bool is_wrong(const struct run *run, const struct track *track, enum wrong wrong)
{
	const struct sim_server *server = &track->server;
	switch (wrong) {
	case WRONG_READY:
		return track->is_there && sim_kube_ready_since(world_kube(run->world), track->node).ms == 0;
	case WRONG_ENDPOINT:
		return server->is_master && (!track->has_server || !server->is_endpoint_well || server->is_api_cut);
	case WRONG_KUBELET:
	case WRONG_LEASE:
		return !track->has_server || !server->is_kubelet_alive || server->is_api_cut;
	case WRONG_SERVER:
		return is_state_bad(run, track);
	case WRONG_ABSENT:
		return !track->is_there && track->has_server;
	case WRONGS_COUNT:
		break;
	}
	return false;
}

static void note_flip(const struct run *run, struct track *track)
{
	track->flips[track->flips_count++ % TRACK_FLIPS] = run->now.mono;
}

static bool sees(const struct run *run, const struct track *track, enum wrong wrong)
{
	enum role role = track_role(track);
	for (size_t i = 0; i < run->config->checks_count[role]; i++) {
		if (run->laws->rules[role][i] == wrong)
			return true;
	}
	return false;
}

/* Something that the checks see is wrong, from this kind of wrong on. */
static bool is_any_wrong(const struct run *run, const struct track *track, enum wrong from)
{
	for (enum wrong wrong = from; wrong < WRONGS_COUNT; wrong++) {
		if (sees(run, track, wrong) && period_ms(run, &track->wrong[wrong]) >= 0)
			return true;
	}
	return false;
}

static void note_wrongs(const struct run *run, struct track *track)
{
	bool was_other = is_any_wrong(run, track, WRONG_READY + 1);
	bool was_wrong = is_any_wrong(run, track, WRONG_READY);
	for (enum wrong wrong = WRONG_READY; wrong < WRONGS_COUNT; wrong++) {
		if (sees(run, track, wrong) || wrong == WRONG_READY || wrong == WRONG_KUBELET)
			(void)note(run, &track->wrong[wrong], is_wrong(run, track, wrong));
	}
	/* Of Ready each change counts, also between two accounts, unless it is bad all the time for another reason. */
	unsigned changes = sim_kube_ready_changes(world_kube(run->world), track->node);
	unsigned flips = was_wrong != is_any_wrong(run, track, WRONG_READY);
	bool is_of_ready = sees(run, track, WRONG_READY) && !was_other && !is_any_wrong(run, track, WRONG_READY + 1);
	if (is_of_ready && changes > track->ready_changes + flips)
		flips = changes - track->ready_changes;
	track->ready_changes = changes;
	for (unsigned i = 0; i < flips && i < TRACK_FLIPS; i++)
		note_flip(run, track);
}

static void note_track(struct run *run, struct track *track)
{
	const struct sim_kube *kube = world_kube(run->world);
	char mark[64];
	bool was_there = track->is_there;
	track->is_there = sim_kube_node_exists(kube, track->node);
	if (!track->is_there)
		track->joined.ms = 0;
	else if (!was_there)
		track->joined.ms = run->now.mono.ms < MINUTE ? -1 : run->now.mono.ms;
	note_wrongs(run, track);
	const struct sim_server *server = &track->server;
	bool is_cordoned = track->is_there && sim_kube_is_cordoned(kube, track->node, mark, sizeof mark);
	(void)note(run, &track->cordoned, is_cordoned && mark[0] == '\0');
	(void)note(run, &track->etcd_bad, server->is_master && (!track->has_server || !server->is_etcd_well));
	(void)note(run, &track->busy,
		   !track->has_server || strcmp(server->status, "ACTIVE") != 0 || server->task_state[0] != '\0');
	(void)note(run, &track->others, track->has_server && server->is_others);
	(void)note(run, &track->stopped, track->has_server && server->is_stopped_by_person);
	(void)note(run, &track->migrating, track->has_server && strcmp(server->status, "MIGRATING") == 0);
	if (track->others.since.ms > server->others_since.ms && server->others_since.ms != 0)
		track->others.since = server->others_since;
	if (track->stopped_by_us.ms != 0 && (!track->has_server || server->is_running) &&
	    run->now.mono.ms - track->stopped_by_us.ms > 3 * MINUTE)
		track->stopped_by_us.ms = 0;
	if (track_is_well(run, track)) {
		track->acted.ms = 0;
		track->is_doomed = false;
	}
}

void account_take(struct run *run)
{
	struct laws *laws = run->laws;
	if (laws->accounted.ms == run->now.mono.ms)
		return;
	laws->accounted = run->now.mono;
	for (size_t i = 0; i < laws->tracks_count; i++)
		laws->tracks[i].has_server = false;
	for (size_t i = 0; i < world_servers_count(run->world); i++) {
		struct sim_server server;
		struct sim_server current;
		world_server(run->world, i, &server);
		struct track *track = track_get(laws, &server);
		if (track == NULL || track->has_server || !world_server_of_node(run->world, server.node, &current))
			continue;
		if (strcmp(track->server.id, current.id) != 0)
			track->stopped_by_us.ms = 0;
		track->server = current;
		track->has_server = true;
	}
	for (size_t i = 0; i < laws->tracks_count; i++)
		note_track(run, &laws->tracks[i]);
}

/* ---- questions -----------------------------------------------------------------------------------------------------
 */

int witnesses_needed(const struct run *run, const struct track *track)
{
	int needs = run->config->policy.needs[track_role(track)];
	return needs > 0 ? needs : 1;
}

static bool is_seen(const struct run *run, const struct track *track, enum wrong wrong)
{
	const struct period *period = &track->wrong[wrong];
	if (period->since.ms == 0)
		return false;
	return period->until.ms == 0 || run->now.mono.ms - period->until.ms <= afterglow_ms(run, wrong);
}

/* The API's own times are exact; the account may be late. */
static int64_t wrong_for_ms(const struct run *run, const struct track *track, enum wrong wrong)
{
	struct mono since = track->wrong[wrong].since;
	struct mono told = sim_kube_unready_since(world_kube(run->world), track->node);
	if (wrong == WRONG_READY && told.ms != 0)
		return run->now.mono.ms - told.ms;
	return run->now.mono.ms - since.ms + ACCOUNT_MS;
}

static int witnesses(const struct run *run, const struct track *track, bool is_for_long, bool is_deaf)
{
	enum role role = track_role(track);
	int count = 0;
	for (size_t i = 0; i < run->config->checks_count[role]; i++) {
		enum wrong wrong = run->laws->rules[role][i];
		int64_t duration_ms = run->config->checks[role][i].unhealthy_duration_ms;
		bool is_probed = wrong == WRONG_ENDPOINT || wrong == WRONG_KUBELET;
		if (is_deaf && is_probed && !is_seen(run, track, wrong))
			wrong = WRONG_READY;
		if (!is_seen(run, track, wrong) ||
		    (is_for_long && wrong_for_ms(run, track, wrong) < duration_ms - CLOCK_SLACK_MS))
			continue;
		count += wrong == WRONG_ABSENT ? CONF_CHECKS_MAX : 1;
	}
	return count;
}

int track_witnesses(const struct run *run, const struct track *track, bool is_for_long)
{
	return witnesses(run, track, is_for_long, false);
}

int track_witnesses_from(const struct run *run, const struct replica *replica, const struct track *track,
			 bool is_for_long)
{
	return witnesses(run, track, is_for_long, cut_is(run, &replica->cuts[SIDE_PROBES]));
}

/* One change less than the policy says: the account does not see each of them. */
bool track_is_flapping(const struct run *run, const struct track *track)
{
	const struct policy *policy = &run->config->policy;
	int count = 0;
	for (unsigned i = 0; i < TRACK_FLIPS && i < track->flips_count; i++)
		count += run->now.mono.ms - track->flips[i].ms <= policy->flap_window_ms + MINUTE;
	return policy->flap_changes > 0 && count >= policy->flap_changes - 1;
}

bool track_is_bad(const struct run *run, const struct track *track)
{
	if (witnesses_needed(run, track) > 1)
		return track_witnesses(run, track, false) >= witnesses_needed(run, track) &&
		       period_ms(run, &track->wrong[WRONG_READY]) > KNOWN_MS;
	return period_ms(run, &track->wrong[WRONG_READY]) > KNOWN_MS;
}

bool track_is_well(const struct run *run, const struct track *track)
{
	struct mono ready = sim_kube_ready_since(world_kube(run->world), track->node);
	return track->has_server && ready.ms != 0 && run->now.mono.ms - ready.ms > KNOWN_MS &&
	       track_witnesses(run, track, false) == 0;
}

bool track_is_grown(const struct run *run, const struct track *track)
{
	return track->joined.ms < 0 || (track->joined.ms > 0 && run->now.mono.ms - track->joined.ms >
									run->config->policy.check_delay_after_add_ms);
}

/* ---- L9, and what is left behind
 * -------------------------------------------------------------------------------------- */

static const struct line *line_of(const struct daemon_view *view, const char *node)
{
	for (size_t i = 0; i < view->plan->count; i++) {
		if (strcmp(view->plan->lines[i].record->node, node) == 0)
			return &view->plan->lines[i];
	}
	return NULL;
}

/* A server that we stopped, and that nobody looks after any more. */
static void left_stopped(struct run *run, struct track *track, const struct daemon_view *view)
{
	bool is_cared_for = ops_of_node_const(view->ops, track->node) != NULL || !view->is_cloud_fresh ||
			    !run->laws->is_label_on || pause_of(run, track) != NULL || world_stack_is_busy(run->world);
	if (!track->server.is_master || track->stopped_by_us.ms == 0 || strcmp(track->server.status, "SHUTOFF") != 0) {
		track->left_stopped = 0;
		return;
	}
	track->left_stopped += !is_cared_for;
	if (track->left_stopped > 30 * MINUTE / ACCOUNT_MS)
		run_violation(run, "L10", "%s was stopped by us, and nobody has cared for half an hour", track->node);
}

/* Every node that has been bad for long enough has a line in the leader's plan or an operation. */
void account_told(struct run *run)
{
	const struct replica *replica = run_leader(run);
	struct daemon_view view = { 0 };
	if (replica != NULL)
		daemon_look(replica->daemon, &view);
	for (size_t i = 0; i < run->laws->tracks_count; i++) {
		struct track *track = &run->laws->tracks[i];
		bool is_known = replica != NULL && view.is_nodes_fresh;
		if (is_known)
			left_stopped(run, track, &view);
		bool is_bad = track->is_there && period_ms(run, &track->wrong[WRONG_READY]) > 3 * MINUTE;
		bool is_told = !is_bad || !is_known || line_of(&view, track->node) != NULL ||
			       ops_of_node_const(view.ops, track->node) != NULL;
		track->untold = is_told ? 0 : track->untold + 1;
		if (track->untold > 2) /* a new leader reads the journal first */
			run_violation(run, "L9", "%s has been bad for minutes, and the leader says nothing of it",
				      track->node);
	}
}
