#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/daemon_int.h"

#define CLOCK_JUMP_MS (5 * SEC)
#define TICK_MS (1 * SEC)
#define QUIET_TICK_MS (60 * SEC)

static bool cloud_open(struct daemon *daemon, struct err *err)
{
	const struct config *config = daemon->opts.config;
	daemon->provider = provider_find(config->cloud_provider);
	if (daemon->provider == NULL)
		return fail(err, ERR_INPUT, "there is no cloud provider \"%s\"", config->cloud_provider);
	daemon->session = session_new(&config->openstack, err);
	return daemon->session != NULL;
}

static void default_lease(struct lease_opts *opts)
{
	if (opts->duration_ms == 0) {
		opts->duration_ms = 20 * SEC;
		opts->renew_ms = 15 * SEC;
		opts->retry_ms = 5 * SEC;
	}
}

struct daemon *daemon_new(const struct daemon_opts *opts, struct now now, struct err *err)
{
	struct daemon *daemon = xcalloc(1, sizeof *daemon);
	daemon->opts = *opts;
	daemon->now = now;
	daemon->rng.state = opts->seed;
	daemon->reported = -1;
	arena_init(&daemon->arena);
	buf_init(&daemon->exec_out, (size_t)1 << 20);
	buf_init(&daemon->exec_errors, 8192);
	history_init(&daemon->history);
	daemon->cluster = xcalloc(1, sizeof *daemon->cluster);
	daemon->store = store_new();
	daemon->reflector = reflector_new(daemon->store);
	daemon->checks = checks_new(opts->config);
	checks_checker(daemon->checks, &daemon->checker);
	default_lease(&daemon->opts.lease);
	lease_init(&daemon->lease, &daemon->opts.lease, now);
	daemon->access = access_open(opts->files, opts->config->kubernetes_kubeconfig, NULL,
				     opts->config->kubernetes_api_host, err);
	if (daemon->access == NULL || !cloud_open(daemon, err)) {
		daemon_free(daemon);
		return NULL;
	}
	(void)TEXT_COPY(daemon->namespace, access_namespace(daemon->access));
	(void)switch_open(daemon); /* it has nothing that could fail */
	probe_open(daemon);
	return daemon;
}

void daemon_free(struct daemon *daemon)
{
	if (daemon == NULL)
		return;
	if (daemon->watch_id != 0)
		daemon->opts.http->cancel(daemon->opts.http->ctx, daemon->watch_id);
	switch_close(daemon);
	for (size_t i = 0; i < CALLS_MAX; i++)
		call_cancel(daemon, daemon->calls[i].id);
	probe_done(daemon);
	phantoms_done(daemon);
	if (daemon->observer != NULL)
		daemon->provider->observer_free(daemon->observer);
	session_free(daemon->session);
	access_free(daemon->access);
	reflector_free(daemon->reflector);
	store_free(daemon->store);
	checks_free(daemon->checks);
	history_done(&daemon->history);
	journal_done(&daemon->journal);
	json_decref(daemon->lease_object);
	buf_done(&daemon->exec_out);
	buf_done(&daemon->exec_errors);
	free(daemon->machines);
	free(daemon->cluster);
	arena_done(&daemon->arena);
	free(daemon);
}

struct now fair_now(const struct daemon *daemon)
{
	struct now now = daemon->now;
	now.wall.ms -= daemon->ahead_ms;
	return now;
}

static void take_time(struct daemon *daemon, struct now now)
{
	int64_t walked_ms = now.wall.ms - daemon->now.wall.ms;
	int64_t ran_ms = now.mono.ms - daemon->now.mono.ms;
	int64_t jump_ms = walked_ms - ran_ms;
	if (jump_ms > CLOCK_JUMP_MS || jump_ms < -CLOCK_JUMP_MS) {
		char text[DURATION_TEXT_BYTES];
		LOG(daemon->opts.log, LOG_WARN, "clock", "the clock jumped; nothing is begun for a while",
		    { "direction", jump_ms > 0 ? "forward" : "back" },
		    { "by", duration_format(jump_ms > 0 ? jump_ms : -jump_ms, text) });
		daemon->jumped = now.mono;
	}
	daemon->now = now;
}

static void hand_out(struct daemon *daemon)
{
	struct call *call = NULL;
	while ((call = call_next_done(daemon)) != NULL) {
		/* Taken out first: whoever hears it may start another call, or cancel this one. */
		struct call done = *call;
		done.answer.headers = buf_str(&done.headers);
		done.answer.body = buf_str(&done.body);
		call->id = 0;
		reach_heard(daemon, &done);
		switch (done.owner) {
		case OWN_LEASE:
			kube_lease_heard(daemon, &done);
			break;
		case OWN_JOURNAL:
			journal_heard(daemon, &done);
			break;
		case OWN_EVENT:
			events_heard(daemon, &done);
			break;
		case OWN_OP:
			repair_heard(daemon, &done);
			break;
		case OWN_OBSERVER:
			cloud_observer_heard(daemon, &done);
			break;
		case OWN_LOGIN:
			cloud_login_heard(daemon, &done);
			break;
		case OWN_REPORT:
			cloud_report_heard(daemon, &done);
			break;
		case OWN_PROBE:
			probe_heard(daemon, &done);
			break;
		case OWN_HEARTBEATS:
			heartbeats_heard(daemon, &done);
			break;
		case OWN_MARK:
			mark_heard(daemon, &done);
			break;
		}
		call_free(&done);
	}
}

static void at_most(int64_t *due_ms, int64_t ms)
{
	if (ms < *due_ms)
		*due_ms = ms;
}

static int64_t next_due(const struct daemon *daemon)
{
	int64_t now_ms = daemon->now.mono.ms;
	int64_t tick_ms = daemon->opts.tick_ms > 0 ? daemon->opts.tick_ms : TICK_MS;
	int64_t due_ms = now_ms + QUIET_TICK_MS;
	if (daemon->lease.doing == LEASE_WAIT && daemon->opts.config->is_leader_elected)
		at_most(&due_ms, daemon->lease.due.ms);
	if (daemon->lease.is_leader && daemon->opts.config->is_leader_elected)
		at_most(&due_ms, daemon->lease.renewed.ms + daemon->lease.opts.renew_ms);
	if (!daemon->is_kube_ready)
		at_most(&due_ms, now_ms + tick_ms);
	else if (daemon->watch_id == 0)
		at_most(&due_ms, reflector_due(daemon->reflector).ms);
	at_most(&due_ms, switch_due_ms(daemon));
	if (daemon->plan.count > 0)
		at_most(&due_ms, now_ms + tick_ms);
	for (size_t i = 0; i < daemon->ops.count; i++) {
		if (daemon->ops.list[i].state == OP_DUE && !daemon->ops.list[i].needs_journal)
			at_most(&due_ms, daemon->ops.list[i].due.ms);
	}
	if (!lease_leads(&daemon->lease, daemon->now.mono))
		return due_ms > now_ms ? due_ms : now_ms + 1;
	if (!daemon->is_observer_waiting)
		at_most(&due_ms, daemon->observe_due.ms);
	if (!daemon->is_journal_reading && daemon->writing == 0 &&
	    (!daemon->is_journal_loaded || daemon->dirty != daemon->saved || daemon->must_reread))
		at_most(&due_ms, daemon->journal_due.ms);
	if (daemon->event_call == 0 && daemon->events_count > 0)
		at_most(&due_ms, daemon->events_due.ms);
	at_most(&due_ms, probe_due_ms(daemon));
	return due_ms > now_ms ? due_ms : now_ms + 1; /* whatever was due now has had its turn */
}

/* The Lease is given back when no act is under way any more: its end must come before somebody else may lead. Running
 * repairs stay in the journal, and the next leader goes on with them. */
static void stop_turn(struct daemon *daemon)
{
	if (!daemon->is_stopping || daemon->lease.is_releasing)
		return;
	for (size_t i = 0; i < daemon->ops.count; i++) {
		if (daemon->ops.list[i].call != 0)
			return;
	}
	bool is_unsaved = daemon->dirty != daemon->saved && lease_leads(&daemon->lease, daemon->now.mono) &&
			  daemon->is_journal_loaded && daemon->journal_failures == 0;
	if (daemon->writing != 0 || is_unsaved) {
		daemon->journal_due = daemon->now.mono;
		return;
	}
	journal_forget(daemon);
	lease_release(&daemon->lease, daemon->now);
}

int64_t daemon_turn(struct daemon *daemon, struct now now)
{
	arena_reset(&daemon->arena);
	take_time(daemon, now);
	hand_out(daemon);
	stop_turn(daemon);
	kube_watch_turn(daemon);
	switch_turn(daemon);
	kube_lease_turn(daemon);
	if (!daemon->is_stopping)
		cloud_turn(daemon);
	probe_turn(daemon);
	repair_turn(daemon);
	journal_turn(daemon);
	events_turn(daemon);
	if (!daemon->is_stopping)
		cloud_report_turn(daemon);
	return next_due(daemon);
}

void daemon_stop(struct daemon *daemon, struct now now)
{
	if (daemon->is_stopping)
		return;
	daemon->is_stopping = true;
	LOG(daemon->opts.log, LOG_INFO, "daemon", "stopping; giving the Lease back",
	    { "identity", daemon->lease.opts.identity });
	daemon->now = now;
	stop_turn(daemon);
}

bool daemon_is_stopped(const struct daemon *daemon)
{
	return daemon->is_stopping && daemon->lease.doing == LEASE_WAIT && !daemon->lease.is_leader;
}

void daemon_look(const struct daemon *daemon, struct daemon_view *out)
{
	*out = (struct daemon_view){
		.is_leader = lease_leads(&daemon->lease, daemon->now.mono),
		.is_nodes_fresh = reflector_is_fresh(daemon->reflector, daemon->now),
		.is_cloud_fresh = cloud_is_fresh(daemon),
		.plan = &daemon->plan,
		.history = &daemon->history,
		.ops = &daemon->ops,
		.cluster = daemon->cluster,
	};
	(void)store_nodes(daemon->store, &out->nodes_count);
}
