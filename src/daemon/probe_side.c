/* The probes' way out and back, and the annotation that keeps since when one fails. When to ask whom, and what an
 * answer means, is check/probe.h's. Only the leader probes: a standby decides nothing, and hundreds of masters' API
 * servers need not answer three replicas. */
#include <string.h>
#include <strings.h>

#include "daemon/daemon_int.h"

#define PROBE_ANSWER_BYTES_MAX ((size_t)64 << 10) /* where the check says nothing: /readyz?verbose has some 3 KB */
/* Answers that are as they should be are told to the decision together, so that probing thousands of healthy nodes does
 * not mean judging them all with each answer. */
#define FINDINGS_PAUSE_MS (5 * SEC)
#define MARK_TIMEOUT_MS (10 * SEC)
#define MARK_LOOK_MS (1 * SEC)
#define MARK_PAUSE_MS (2 * SEC)
#define MARK_FAILED_MS (30 * SEC)
#define MARK_PAUSED_MS (30 * SEC) /* what there is to write is of paused nodes */
#define MARK_LOOKS 8

/* ---- probes ------------------------------------------------------------------------------------------------------ */

static const char *own_token(void *ctx)
{
	const struct daemon *daemon = ctx;
	return access_token(daemon->access);
}

static struct probe_call *free_slot(struct daemon *daemon)
{
	for (size_t i = 0; i < PROBES_AT_ONCE; i++) {
		if (daemon->probe_calls[i].call == 0)
			return &daemon->probe_calls[i];
	}
	return NULL;
}

static void probes_start(struct daemon *daemon)
{
	struct probe_call *slot = NULL;
	struct http_request request = { 0 };
	uint64_t ticket = 0;
	while ((slot = free_slot(daemon)) != NULL &&
	       probes_next(daemon->probes, daemon->now.mono, own_token, daemon, &daemon->arena, &request, &ticket)) {
		if (request.answer_bytes_max == 0)
			request.answer_bytes_max = PROBE_ANSWER_BYTES_MAX;
		uint64_t id = call_start(daemon, OWN_PROBE, &request);
		if (id == 0) {
			probes_unsent(daemon->probes, ticket, daemon->now.mono);
			return;
		}
		*slot = (struct probe_call){ .call = id, .ticket = ticket };
		request = (struct http_request){ 0 };
	}
}

static void probes_stop(struct daemon *daemon)
{
	for (size_t i = 0; i < PROBES_AT_ONCE; i++) {
		struct probe_call *slot = &daemon->probe_calls[i];
		if (slot->call == 0)
			continue;
		call_cancel(daemon, slot->call);
		probes_unsent(daemon->probes, slot->ticket, daemon->now.mono);
		*slot = (struct probe_call){ 0 };
	}
}

void probe_heard(struct daemon *daemon, const struct call *call)
{
	for (size_t i = 0; i < PROBES_AT_ONCE; i++) {
		struct probe_call *slot = &daemon->probe_calls[i];
		if (slot->call != call->id)
			continue;
		uint64_t ticket = slot->ticket;
		*slot = (struct probe_call){ 0 };
		probes_heard(daemon->probes, ticket, &call->answer, fair_now(daemon));
		daemon->is_mark_wanted = daemon->has_mark_keys;
		int64_t due_ms = daemon->findings_told.ms + FINDINGS_PAUSE_MS;
		if (call->answer.status != 200)
			due_ms = daemon->now.mono.ms;
		if (daemon->findings_due.ms == 0 || daemon->findings_due.ms > due_ms)
			daemon->findings_due.ms = due_ms;
		return;
	}
}

static void findings_turn(struct daemon *daemon)
{
	if (daemon->findings_due.ms != 0 && daemon->now.mono.ms >= daemon->findings_due.ms) {
		daemon->findings_version++;
		daemon->findings_told = daemon->now.mono;
		daemon->findings_due.ms = 0;
	}
	if (daemon->findings_cloud.ms != daemon->cluster->at.ms) {
		daemon->findings_version++;
		daemon->findings_cloud = daemon->cluster->at;
	}
}

/* ---- marks ------------------------------------------------------------------------------------------------------- */

/* What is paused is left as it is. The candidates come in turn. */
static bool mark_pick(struct daemon *daemon, struct probe_mark *out, bool *out_is_paused)
{
	size_t count = 0;
	struct now now = fair_now(daemon);
	const struct node *const *nodes = store_nodes(daemon->store, &count);
	*out_is_paused = false;
	for (int i = 0; i < MARK_LOOKS; i++) {
		if (!probes_mark_next(daemon->probes, nodes, count, now, &daemon->arena, out))
			return false;
		if (!switches_is_paused(&daemon->switches, out->node, now.wall))
			return true;
		*out_is_paused = true;
	}
	return false;
}

static bool may_mark(const struct daemon *daemon)
{
	return daemon->has_mark_keys && daemon->is_mark_wanted && daemon->mark_call == 0 &&
	       !daemon->opts.config->policy.is_dry_run && daemon->cluster->is_known &&
	       daemon->cluster->is_healing_enabled;
}

static void mark_turn(struct daemon *daemon)
{
	struct probe_mark mark = { 0 };
	if (!may_mark(daemon) || daemon->now.mono.ms < daemon->mark_due.ms)
		return;
	daemon->mark_due.ms = daemon->now.mono.ms + MARK_LOOK_MS;
	if (!lease_has_authority(&daemon->lease, daemon->now.mono, MARK_TIMEOUT_MS) ||
	    !reflector_is_fresh(daemon->reflector, daemon->now) || !switch_is_fresh(daemon))
		return;
	bool is_paused = false;
	if (!mark_pick(daemon, &mark, &is_paused)) {
		daemon->is_mark_wanted = is_paused;
		daemon->mark_due.ms = daemon->now.mono.ms + (is_paused ? MARK_PAUSED_MS : MARK_LOOK_MS);
		return;
	}
	(void)TEXT_COPY(daemon->mark_node, mark.node->name);
	if (!kube_start(daemon, OWN_MARK, "PATCH", node_path(&daemon->arena, mark.node->name), PATCH_MERGE,
			patch_annotation(&daemon->arena, mark.node->uid, mark.key, mark.value), MARK_TIMEOUT_MS, false,
			&daemon->mark_call))
		return;
	LOG(daemon->opts.log, LOG_DEBUG, "mark", mark.value != NULL ? "set" : "taken away", { "node", mark.node->name },
	    { "annotation", mark.key }, { "value", mark.value });
}

void mark_heard(struct daemon *daemon, const struct call *call)
{
	if (daemon->mark_call == 0 || call->id != daemon->mark_call)
		return;
	daemon->mark_call = 0;
	int status = call->answer.status;
	if (status == 401)
		access_refused(daemon->access, daemon->now);
	/* 404, 422: gone, or another Node of that name by now; the watch will tell. */
	if ((status >= 200 && status < 300) || status == 404 || status == 422) {
		daemon->mark_failures = 0;
		daemon->mark_due.ms = daemon->now.mono.ms + MARK_PAUSE_MS;
		return;
	}
	daemon->mark_due.ms = daemon->now.mono.ms + MARK_FAILED_MS;
	CLEANUP(json_decrefp) json_t *json = call_json(call);
	LOG(daemon->opts.log, daemon->mark_failures++ == 0 ? LOG_WARN : LOG_DEBUG, "mark",
	    "the annotation of a failing probe could not be written", { "node", daemon->mark_node },
	    { "why",
	      status == 0 ? call->answer.why.text : status_message(&daemon->arena, status, json, call->answer.body) });
}

static void mark_stop(struct daemon *daemon)
{
	call_cancel(daemon, daemon->mark_call);
	daemon->mark_call = 0;
	daemon->mark_node[0] = '\0';
}

/* ---- start, turn, end -------------------------------------------------------------------------------------------- */

/* A probe that trusts everybody is right for health and nothing else; which it is must not be guessed. */
static void say_what_is_verified(struct daemon *daemon, enum role role, const struct conf_check *check)
{
	const char *text = "certificates are not verified";
	if (check->protocol == NULL || strcasecmp(check->protocol, "HTTPS") != 0)
		text = "there are no certificates to verify";
	else if (check->ca_file != NULL)
		text = arena_printf(&daemon->arena, "certificates are verified against %s for %s", check->ca_file,
				    check->server_name != NULL ? check->server_name : "the node's address");
	LOG(daemon->opts.log, LOG_INFO, "check", text, { "check", check->type }, { "role", role_name(role) },
	    { "protocol", check->protocol });
}

void probe_open(struct daemon *daemon)
{
	const struct config *config = daemon->opts.config;
	daemon->probes = probes_new(config);
	for (int role = 0; role < ROLES_COUNT; role++) {
		for (size_t i = 0; i < config->checks_count[role]; i++) {
			const struct conf_check *check = &config->checks[role][i];
			if (check_find(check->type)->ask == NULL)
				continue;
			say_what_is_verified(daemon, (enum role)role, check);
			if (check->unhealthy_annotation != NULL && check->unhealthy_annotation[0] != '\0') {
				daemon->has_mark_keys = true;
				store_want(daemon->store, check->unhealthy_annotation);
			}
		}
	}
}

static bool is_at_work(const struct daemon *daemon)
{
	return !daemon->is_stopping && lease_leads(&daemon->lease, daemon->now.mono);
}

void probe_turn(struct daemon *daemon)
{
	if (!is_at_work(daemon)) {
		probes_stop(daemon);
		mark_stop(daemon);
		heartbeats_pause(daemon);
		return;
	}
	uint64_t version = store_version(daemon->store);
	if (!probes_is_idle(daemon->probes)) {
		if (daemon->probed_version != version) {
			size_t count = 0;
			const struct node *const *nodes = store_nodes(daemon->store, &count);
			probes_nodes(daemon->probes, nodes, count, daemon->now.mono);
			daemon->probed_version = version;
			daemon->is_mark_wanted = daemon->has_mark_keys;
		}
		probes_start(daemon);
		mark_turn(daemon);
	}
	heartbeats_turn(daemon);
	findings_turn(daemon);
}

int64_t probe_due_ms(const struct daemon *daemon)
{
	if (!is_at_work(daemon))
		return NEVER;
	int64_t due_ms = heartbeats_due_ms(daemon);
	bool has_slot = false;
	for (size_t i = 0; i < PROBES_AT_ONCE; i++)
		has_slot = has_slot || daemon->probe_calls[i].call == 0;
	if (has_slot && !probes_is_idle(daemon->probes) && probes_due(daemon->probes).ms < due_ms)
		due_ms = probes_due(daemon->probes).ms;
	if (daemon->findings_due.ms != 0 && daemon->findings_due.ms < due_ms)
		due_ms = daemon->findings_due.ms;
	if (may_mark(daemon) && daemon->mark_due.ms < due_ms)
		due_ms = daemon->mark_due.ms;
	return due_ms;
}

void probe_done(struct daemon *daemon)
{
	heartbeats_done(daemon);
	if (daemon->probes == NULL) /* the daemon could not be opened */
		return;
	probes_free(daemon->probes);
	daemon->probes = NULL;
}
