/* The cloud side of the daemon: login, the round of observation, the health report. */
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "daemon/daemon_int.h"

#define ACT_TIMEOUT_MS                                                                                                 \
	(10 * SEC)                 /* well below the Lease's 20 s, so that an act is over before anybody else may lead \
				    */
#define LOOK_TIMEOUT_MS (30 * SEC) /* looks may take their time: Heat needs seconds while it is busy */
#define LOGIN_TIMEOUT_MS (20 * SEC)
#define IDLE_ROUNDS 10            /* with nothing to repair the cloud is looked at this many times more rarely ... */
#define IDLE_MAX_MS (10 * MINUTE) /* ... but at least so often */
#define REPORT_PAUSE_MS (60 * SEC)

static int64_t interval_ms(const struct daemon *daemon)
{
	int64_t interval = daemon->opts.config->policy.monitor_interval_ms;
	bool is_idle = daemon->ops.count == 0;
	for (size_t i = 0; i < daemon->history.count && is_idle; i++)
		is_idle = !daemon->history.records[i].is_bad_now;
	if (!is_idle || checks_need_cloud(daemon->checks))
		return interval;
	int64_t idle = interval * IDLE_ROUNDS < IDLE_MAX_MS ? interval * IDLE_ROUNDS : IDLE_MAX_MS;
	return idle > interval ? idle : interval;
}

bool cloud_is_fresh(const struct daemon *daemon)
{
	int64_t limit_ms = daemon->opts.config->policy.monitor_interval_ms + 60 * SEC; /* a round may take its time */
	return daemon->cluster->is_known && daemon->now.mono.ms - daemon->cluster->at.ms <= limit_ms;
}

struct answer answer_of(const struct call *call, json_t *json, struct arena *arena)
{
	struct answer answer = { .status = call->answer.status, .why = call->answer.why, .json = json, .location = "" };
	answer.retry_after_ms = http_retry_after_ms(&call->answer);
	struct str location = http_header(&call->answer, "location");
	if (location.n > 0)
		answer.location = arena_printf(arena, "%.*s", (int)location.n, location.p);
	return answer;
}

enum leave cloud_start(struct daemon *daemon, enum owner owner, const struct ask *ask, uint64_t *out_id,
		       struct mono *out_due, struct err *err)
{
	struct http_request request = { 0 };
	enum session_state state =
		session_request(daemon->session, daemon->now, &daemon->rng, ask, &daemon->arena, &request, err);
	if (state == SESSION_REFUSED)
		return LEAVE_REFUSED;
	out_due->ms = daemon->now.mono.ms + SEC;
	if (state == SESSION_LOGIN) {
		request.timeout_ms = LOGIN_TIMEOUT_MS;
		if (!daemon->is_logging_in && call_start(daemon, OWN_LOGIN, &request) != 0)
			daemon->is_logging_in = true;
		return LEAVE_LATER;
	}
	if (state == SESSION_WAIT) {
		struct mono due = session_due(daemon->session);
		if (due.ms > daemon->now.mono.ms && due.ms < out_due->ms)
			*out_due = due;
		return LEAVE_LATER;
	}
	request.timeout_ms = ask->timeout_ms > 0 ? ask->timeout_ms : ask->is_act ? ACT_TIMEOUT_MS : LOOK_TIMEOUT_MS;
	if (ask->is_act) /* libcurl resends on a reused connection that died: an act must leave once */
		request.is_once = true;
	*out_id = call_start(daemon, owner, &request);
	return *out_id != 0 ? LEAVE_LEFT : LEAVE_LATER;
}

void cloud_login_heard(struct daemon *daemon, const struct call *call)
{
	daemon->is_logging_in = false;
	const char *before = session_trouble(daemon->session);
	char old[240];
	(void)TEXT_COPY(old, before);
	session_login_heard(daemon->session, daemon->now, &daemon->rng, &call->answer);
	const char *trouble = session_trouble(daemon->session);
	if (trouble[0] != '\0' && strcmp(trouble, old) != 0)
		LOG(daemon->opts.log, LOG_ERROR, "cloud", "login failed", { "why", trouble });
	/* Whoever waited for the token goes on at once. */
	for (size_t i = 0; trouble[0] == '\0' && i < daemon->ops.count; i++) {
		if (daemon->ops.list[i].state == OP_DUE && daemon->ops.list[i].due.ms - daemon->now.mono.ms <= SEC)
			daemon->ops.list[i].due = daemon->now.mono;
	}
	if (trouble[0] == '\0' && daemon->observer != NULL)
		daemon->observe_due = daemon->now.mono;
}

/* ---- observation ------------------------------------------------------------------------------------------------- */

static void round_failed(struct daemon *daemon, const char *why)
{
	daemon->provider->observer_free(daemon->observer);
	daemon->observer = NULL;
	daemon->is_observer_waiting = false;
	int64_t pause_ms = 5 * SEC << (daemon->observe_failures < 4 ? daemon->observe_failures : 4);
	daemon->observe_failures++;
	daemon->observe_due.ms =
		daemon->now.mono.ms + pause_ms / 2 + (int64_t)rng_below(&daemon->rng, (uint64_t)pause_ms);
	if (strcmp(daemon->observe_trouble, why) != 0)
		LOG(daemon->opts.log, LOG_WARN, "cloud", "the cloud could not be seen completely; nothing new is begun",
		    { "why", why });
	(void)TEXT_COPY(daemon->observe_trouble, why);
}

static void round_done(struct daemon *daemon)
{
	free(daemon->machines);
	bool was_known = daemon->cluster->is_known;
	daemon->provider->observer_take(daemon->observer, daemon->cluster, &daemon->machines, &daemon->machines_count);
	daemon->provider->observer_free(daemon->observer);
	daemon->observer = NULL;
	daemon->observe_failures = 0;
	if (!was_known || daemon->observe_trouble[0] != '\0')
		LOG(daemon->opts.log, LOG_INFO, "cloud", "the cluster is seen", { "cluster", daemon->cluster->name },
		    { "status", daemon->cluster->status }, { "stack", daemon->cluster->stack_status },
		    { "healing", daemon->cluster->is_healing_enabled ? "on" : "off" },
		    { "servers", arena_printf(&daemon->arena, "%zu", daemon->machines_count) });
	daemon->observe_trouble[0] = '\0';
	daemon->observe_due.ms = daemon->cluster->at.ms + interval_ms(daemon);
}

static void observer_step(struct daemon *daemon)
{
	struct ask ask = { 0 };
	struct err err = { 0 };
	switch (daemon->provider->observer_next(daemon->observer, &daemon->arena, &ask, &err)) {
	case OBSERVE_DONE:
		round_done(daemon);
		return;
	case OBSERVE_FAILED:
		round_failed(daemon, err.text);
		return;
	case OBSERVE_ASK:
		break;
	}
	switch (cloud_start(daemon, OWN_OBSERVER, &ask, &daemon->observer_call, &daemon->observe_due, &err)) {
	case LEAVE_LEFT:
		daemon->is_observer_waiting = true;
		break;
	case LEAVE_LATER:
		if (session_trouble(daemon->session)[0] != '\0' && !daemon->is_logging_in &&
		    strcmp(session_trouble(daemon->session), daemon->observe_trouble) != 0)
			(void)TEXT_COPY(daemon->observe_trouble, session_trouble(daemon->session));
		break;
	case LEAVE_REFUSED:
		daemon->provider->observer_hear(daemon->observer,
						&(struct answer){ .why = err, .location = "", .retry_after_ms = -1 });
		daemon->observe_due = daemon->now.mono;
		break;
	}
}

void cloud_turn(struct daemon *daemon)
{
	if (!lease_leads(&daemon->lease, daemon->now.mono)) {
		if (daemon->observer != NULL) {
			call_cancel(daemon, daemon->observer_call);
			daemon->provider->observer_free(daemon->observer);
			daemon->observer = NULL;
			daemon->is_observer_waiting = false;
		}
		return;
	}
	if (daemon->observer == NULL) {
		/* Something has become unhealthy: do not sit out the pause of quiet times. */
		int64_t soon_ms = daemon->cluster->at.ms + interval_ms(daemon);
		if (daemon->observe_failures == 0 && daemon->observe_due.ms > soon_ms)
			daemon->observe_due.ms = soon_ms;
		if (daemon->now.mono.ms < daemon->observe_due.ms)
			return;
		daemon->observer = daemon->provider->observer_new(daemon->opts.config->cluster_name, daemon->now.mono);
	}
	while (daemon->observer != NULL && !daemon->is_observer_waiting &&
	       daemon->now.mono.ms >= daemon->observe_due.ms)
		observer_step(daemon);
}

void cloud_observer_heard(struct daemon *daemon, const struct call *call)
{
	if (daemon->observer == NULL || call->id != daemon->observer_call)
		return;
	daemon->is_observer_waiting = false;
	daemon->observe_due = daemon->now.mono;
	struct ask ask = { 0 };
	(void)daemon->provider->observer_next(daemon->observer, &daemon->arena, &ask,
					      NULL); /* the same question again */
	if (session_heard(daemon->session, &ask, &call->answer) && daemon->observe_failures < 2) {
		daemon->observe_failures++;
		return; /* a new token (or a lower version): the same question once more */
	}
	CLEANUP(json_decrefp) json_t *json = call_json(call);
	struct answer answer = answer_of(call, json, &daemon->arena);
	daemon->provider->observer_hear(daemon->observer, &answer);
	observer_step(daemon);
}

/* ---- the health report ------------------------------------------------------------------------------------------- */

/* On change only, rarely, and never near a resize: Magnum sends along the node count that it has read. */
void cloud_report_turn(struct daemon *daemon)
{
	if (daemon->provider->report == NULL || daemon->report_call != 0 || daemon->opts.config->policy.is_dry_run)
		return;
	bool may = lease_leads(&daemon->lease, daemon->now.mono) && daemon->is_journal_safe && cloud_is_fresh(daemon) &&
		   daemon->ops.count == 0 && cluster_is_settled(daemon->cluster) && !cluster_is_busy(daemon->cluster) &&
		   daemon->cluster->is_healing_enabled && reflector_is_fresh(daemon->reflector, daemon->now) &&
		   switch_is_fresh(daemon) && !switches_is_paused(&daemon->switches, NULL, fair_now(daemon).wall);
	if (!may || daemon->now.mono.ms < daemon->report_due.ms)
		return;
	const char **bad = arena_array(&daemon->arena, const char *, daemon->history.count + 1);
	size_t bad_count = 0;
	for (size_t i = 0; i < daemon->history.count; i++) {
		if (daemon->history.records[i].is_unhealthy)
			bad[bad_count++] = daemon->history.records[i].node;
	}
	int health = bad_count == 0;
	if (health == daemon->reported)
		return;
	struct ask ask = { 0 };
	if (!daemon->provider->report(daemon->cluster, health == 1, bad, bad_count, &daemon->arena, &ask)) {
		daemon->report_due.ms = daemon->now.mono.ms + REPORT_PAUSE_MS; /* not now */
		return;
	}
	struct mono due = { 0 };
	struct err err = { 0 };
	daemon->report_due.ms = daemon->now.mono.ms + REPORT_PAUSE_MS;
	if (!lease_has_authority(&daemon->lease, daemon->now.mono, ACT_TIMEOUT_MS) ||
	    cloud_start(daemon, OWN_REPORT, &ask, &daemon->report_call, &due, &err) == LEAVE_LATER)
		daemon->report_due.ms = daemon->now.mono.ms + SEC;
	else
		daemon->reported = health; /* refused or lost: the next change is told again */
}

void cloud_report_heard(struct daemon *daemon, const struct call *call)
{
	daemon->report_call = 0;
	struct ask ask = { .kind = ASK_CLOUD, .service = SERVICE_CLUSTER };
	if (session_heard(daemon->session, &ask, &call->answer) || call->answer.status == 0 ||
	    call->answer.status >= 500)
		daemon->reported = -1; /* once more, after the pause */
	else if (call->answer.status >= 400)
		LOG(daemon->opts.log, LOG_WARN, "cloud", "the health report was refused",
		    { "status", arena_printf(&daemon->arena, "%d", call->answer.status) });
}
