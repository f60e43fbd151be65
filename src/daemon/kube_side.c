/* The Kubernetes side of the daemon: credentials, the watch of the nodes, the Lease. */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "daemon/daemon_int.h"

#define LEASE_TIMEOUT_MS (5 * SEC)
#define CLOCK_AGREES_MS (10 * SEC) /* the Date header has seconds, and the answer took its time */
#define CREDENTIAL_WAIT_MS (1 * SEC)
#define MASTERS_MAX 32            /* looked at for addresses; access takes fewer */
#define QUIET_WATCH_MS (15 * SEC) /* a watch that spoke since then lives, whatever other requests say */
#define EXEC_OUTPUT_BYTES_MAX ((size_t)256 * 1024)

static void exec_done(void *sink, uint64_t id, const struct proc_answer *answer)
{
	struct daemon *daemon = sink;
	(void)id;
	buf_clear(&daemon->exec_out);
	buf_clear(&daemon->exec_errors);
	(void)buf_add(&daemon->exec_out, answer->out.p, answer->out.n);
	(void)buf_add(&daemon->exec_errors, answer->errors.p, answer->errors.n);
	daemon->exec_answer = *answer;
	daemon->exec_answer.out = buf_str(&daemon->exec_out);
	daemon->exec_answer.errors = buf_str(&daemon->exec_errors);
	daemon->is_exec_done = true;
	if (daemon->opts.wake != NULL)
		daemon->opts.wake(daemon->opts.wake_ctx, true);
}

static void trouble(struct daemon *daemon, const char *text)
{
	if (strcmp(daemon->access_trouble, text) == 0)
		return;
	(void)TEXT_COPY(daemon->access_trouble, text);
	if (text[0] != '\0')
		LOG(daemon->opts.log, LOG_ERROR, "kube", "no credentials for the API server", { "why", text });
}

bool kube_is_ready(struct daemon *daemon)
{
	struct err err = { 0 };
	if (daemon->is_exec_running) {
		daemon->is_kube_ready = false;
		if (!daemon->is_exec_done)
			return false;
		daemon->is_exec_running = false;
		daemon->is_exec_done = false;
		access_exec_heard(daemon->access, daemon->now, &daemon->exec_answer, &err);
		if (err.code != ERR_NONE)
			trouble(daemon, err.text);
		else if (daemon->lease.doing == LEASE_WAIT && !daemon->lease.is_leader)
			daemon->lease.due = daemon->now.mono; /* it has waited for this */
	}
	struct proc_request exec = { 0 };
	bool must_exec = false;
	daemon->is_kube_ready = access_ready(daemon->access, daemon->now, &exec, &must_exec, &err);
	if (daemon->is_kube_ready) {
		trouble(daemon, "");
		return true;
	}
	if (must_exec && daemon->opts.proc != NULL) {
		daemon->is_exec_running = true;
		exec.output_bytes_max = exec.output_bytes_max > 0 ? exec.output_bytes_max : EXEC_OUTPUT_BYTES_MAX;
		daemon->opts.proc->start(daemon->opts.proc->ctx, ++daemon->calls_made, &exec, exec_done, daemon);
		return false;
	}
	trouble(daemon, must_exec ? "an exec plug-in cannot be run here" : err.text);
	return false;
}

bool kube_start(struct daemon *daemon, enum owner owner, const char *method, const char *path, const char *content_type,
		const char *body, int64_t timeout_ms, bool is_once, uint64_t *out_id)
{
	return kube_start_as(daemon, owner, method, path, NULL, content_type, body, timeout_ms, is_once, out_id);
}

bool kube_start_as(struct daemon *daemon, enum owner owner, const char *method, const char *path, const char *accept,
		   const char *content_type, const char *body, int64_t timeout_ms, bool is_once, uint64_t *out_id)
{
	if (!kube_is_ready(daemon))
		return false;
	struct http_request request = { 0 };
	access_request(daemon->access, &daemon->arena, method, path, accept, content_type, str_of(body), &request);
	request.timeout_ms = timeout_ms;
	request.is_once = is_once;
	uint64_t id = call_start(daemon, owner, &request);
	if (id == 0)
		return false;
	call_find(daemon, id)->way = access_way(daemon->access);
	*out_id = id;
	return true;
}

/* ---- the API server's addresses ---------------------------------------------------------------------------------- */

static bool is_json(const struct http_answer *answer)
{
	struct str type = http_header(answer, "content-type");
	return type.n > 0 && memmem(type.p, type.n, "json", 4) != NULL;
}

/* Nobody answered, or somebody who cannot serve: a master whose etcd is gone, a balancer without a server behind it.
 * What was never sent says nothing. */
static bool is_loss(const struct http_answer *answer)
{
	if (answer->status == 503) /* an API server that has too much to do says so in JSON: the others have, too */
		return !is_json(answer);
	if (answer->status != 0)
		return answer->status >= 500;
	switch (answer->why.code) {
	case ERR_NETWORK:
	case ERR_TIMEOUT:
	case ERR_REFUSED:
	case ERR_AUTH: /* TLS: whoever is there is not our API server */
		return true;
	case ERR_NONE:
	case ERR_INPUT:
	case ERR_GONE:
	case ERR_CONFLICT:
	case ERR_BUSY:
	case ERR_REMOTE:
	case ERR_LIMIT:
		return false;
	}
	return false;
}

static void lost(struct daemon *daemon, uint32_t way, bool is_urgent)
{
	if (access_failed(daemon->access, daemon->now, way, is_urgent))
		daemon->fled_way = access_way(daemon->access);
}

/* Told when it answers, not when it is tried: while nobody answers, every few seconds another one is tried. */
static void answered(struct daemon *daemon, uint32_t way)
{
	if (access_answered(daemon->access, way))
		LOG(daemon->opts.log, LOG_WARN, "kube", "the API server is asked at another address now",
		    { "address", access_address(daemon->access) });
}

void kube_call_heard(struct daemon *daemon, const struct call *call)
{
	if (call->way == 0)
		return;
	if (is_loss(&call->answer))
		lost(daemon, call->way, call->owner == OWN_LEASE && call->answer.status == 0);
	else if (call->answer.status != 0 && call->answer.status != 503)
		answered(daemon, call->way);
}

void kube_watch_heard(struct watch_way *way, const struct http_answer *answer)
{
	way->is_open = way->is_open || answer->status == 200;
	if (is_loss(answer))
		way->has_failed = way->has_failed || !way->is_open;
	else if (answer->status != 0 && answer->status != 503)
		way->has_answered = true;
}

/* The masters as last seen, those first that are well. They are remembered when the API server is gone, which is when
 * they are wanted; so only a list that is whole counts. */
static void learn_addresses(struct daemon *daemon)
{
	if (daemon->masters_version == store_version(daemon->store) ||
	    !reflector_is_fresh(daemon->reflector, daemon->now))
		return;
	daemon->masters_version = store_version(daemon->store);
	const char *addresses[MASTERS_MAX];
	size_t found = 0;
	size_t count = 0;
	const struct node *const *nodes = store_nodes(daemon->store, &count);
	for (int is_well = 1; is_well >= 0; is_well--) {
		for (size_t i = 0; i < count && found < MASTERS_MAX; i++) {
			const struct condition *ready = node_condition(nodes[i], "Ready");
			if (nodes[i]->role == ROLE_MASTER && nodes[i]->internal_ip[0] != '\0' &&
			    (ready != NULL && ready->status == STATUS_TRUE) == (is_well == 1))
				addresses[found++] = nodes[i]->internal_ip;
		}
	}
	if (found > 0)
		access_others(daemon->access, addresses, found, daemon->opts.config->kubernetes_api_port);
}

/* ---- watches ----------------------------------------------------------------------------------------------------- */

static void watch_cancel(struct daemon *daemon, uint64_t *id)
{
	if (*id != 0)
		daemon->opts.http->cancel(daemon->opts.http->ctx, *id);
	*id = 0;
}

/* Other requests found the address dead, and this stream has said nothing lately: it may hang there for a minute. */
static void watch_leave(struct daemon *daemon, struct reflector *reflector, uint64_t *id, const struct watch_way *way)
{
	if (*id == 0 || way->way >= daemon->fled_way ||
	    daemon->now.mono.ms - reflector_heard(reflector).ms < QUIET_WATCH_MS)
		return;
	watch_cancel(daemon, id);
	struct http_answer answer = { .headers = STR(""), .body = STR("") };
	fail(&answer.why, ERR_NETWORK, "the API server did not answer other requests there");
	reflector_done(reflector, &answer);
}

void kube_watch(struct daemon *daemon, struct reflector *reflector, uint64_t *id, struct watch_way *way)
{
	if (way->has_failed)
		lost(daemon, way->way, false);
	else if (way->has_answered)
		answered(daemon, way->way);
	way->has_failed = way->has_answered = false;
	watch_leave(daemon, reflector, id, way);
	if (reflector_turn(reflector, daemon->now, &daemon->rng))
		watch_cancel(daemon, id);
	if (*id != 0 || !kube_is_ready(daemon))
		return;
	struct reflector_request ask = { 0 };
	if (!reflector_poll(reflector, daemon->now, &daemon->rng, &daemon->arena, &ask))
		return;
	struct http_request request = { 0 };
	access_request(daemon->access, &daemon->arena, "GET", ask.path, ask.accept, NULL, (struct str){ 0 }, &request);
	request.timeout_ms = ask.timeout_ms;
	request.silence_ms = ask.silence_ms;
	request.answer_bytes_max = ask.answer_bytes_max;
	*id = ++daemon->calls_made;
	*way = (struct watch_way){ .way = access_way(daemon->access) };
	daemon->opts.http->start(daemon->opts.http->ctx, *id, &request, daemon_sink(daemon));
}

/* Once per change: a stale view is why nothing is done, so it is told. */
static void tell_view(struct daemon *daemon)
{
	bool is_fresh = reflector_is_fresh(daemon->reflector, daemon->now);
	if (is_fresh == daemon->was_fresh)
		return;
	daemon->was_fresh = is_fresh;
	size_t count = 0;
	(void)store_nodes(daemon->store, &count);
	LOG(daemon->opts.log, is_fresh ? LOG_INFO : LOG_WARN, "kube",
	    is_fresh ? "the list of nodes is live" : "the list of nodes is not live; nothing is done until it is",
	    { "nodes", arena_printf(&daemon->arena, "%zu", count) },
	    { "why", is_fresh ? NULL : reflector_trouble(daemon->reflector) });
}

void kube_watch_turn(struct daemon *daemon)
{
	(void)access_turn(daemon->access, daemon->now);
	tell_view(daemon);
	kube_watch(daemon, daemon->reflector, &daemon->watch_id, &daemon->watch_way);
	learn_addresses(daemon);
}

/* ---- the Lease -------------------------------------------------------------------------------------------------- */

static void led_or_not(struct daemon *daemon, bool was_leader)
{
	bool is_leader = lease_leads(&daemon->lease, daemon->now.mono);
	if (is_leader &&
	    daemon->epoch != daemon->lease.epoch) { /* a new leadership, even when the gap was not noticed */
		journal_forget(daemon);
		daemon->epoch = daemon->lease.epoch;
	}
	if (is_leader == was_leader)
		return;
	daemon->reported = -1; /* what another leader reported is not known */
	LOG(daemon->opts.log, LOG_INFO, "lease", is_leader ? "this replica leads now" : "this replica leads no longer",
	    { "identity", daemon->lease.opts.identity });
	if (!is_leader)
		journal_forget(daemon);
}

static bool lease_ask(struct daemon *daemon, enum lease_do what)
{
	struct arena *arena = &daemon->arena;
	uint64_t id = 0;
	const char *path = lease_path(arena, daemon->namespace, LEASE_NAME);
	switch (what) {
	case LEASE_WAIT:
		return true;
	case LEASE_GET:
		return kube_start(daemon, OWN_LEASE, "GET", path, NULL, NULL, LEASE_TIMEOUT_MS, false, &id);
	case LEASE_CREATE:
		return kube_start(daemon, OWN_LEASE, "POST", leases_path(arena, daemon->namespace), NULL,
				  lease_body(arena, daemon->namespace, LEASE_NAME, NULL, &daemon->lease.wanted),
				  LEASE_TIMEOUT_MS, false, &id);
	case LEASE_UPDATE:
		return kube_start(
			daemon, OWN_LEASE, "PUT", path, NULL,
			lease_body(arena, daemon->namespace, LEASE_NAME, daemon->lease_object, &daemon->lease.wanted),
			LEASE_TIMEOUT_MS, false, &id);
	}
	return false;
}

void kube_lease_turn(struct daemon *daemon)
{
	bool was_leader = daemon->lease.is_leader;
	if (!daemon->opts.config->is_leader_elected) { /* alone by the operator's word; the journal still guards */
		if (!daemon->is_stopping && daemon->now.mono.ms >= daemon->lease.due.ms)
			lease_lead_alone(&daemon->lease, daemon->now);
		else if (daemon->is_stopping)
			daemon->lease.is_leader = false;
		led_or_not(daemon, was_leader);
		return;
	}
	if (!kube_is_ready(daemon)) { /* no credential yet: asked the moment there is one */
		lease_expire(&daemon->lease, daemon->now);
		if (daemon->lease.doing == LEASE_WAIT && daemon->lease.due.ms <= daemon->now.mono.ms)
			daemon->lease.due.ms = daemon->now.mono.ms + CREDENTIAL_WAIT_MS;
		led_or_not(daemon, was_leader);
		return;
	}
	enum lease_do what = lease_poll(&daemon->lease, daemon->now, &daemon->rng);
	if (!lease_ask(daemon, what))
		lease_heard(&daemon->lease, daemon->now, &daemon->rng, 0,
			    NULL); /* no credentials now: as if unanswered */
	led_or_not(daemon, was_leader);
}

/* Transition times come from the API server's side. Where our clock disagrees with its, its is used to reckon with
 * them: a clock an hour ahead must not make a node look as if it had been bad for an hour. */
static void compare_clocks(struct daemon *daemon, const struct http_answer *answer)
{
	int64_t date_ms = http_date_ms(http_header(answer, "date"));
	if (answer->status == 0 || date_ms < 0)
		return;
	int64_t ahead_ms = daemon->now.wall.ms - date_ms;
	bool does_agree = ahead_ms > -CLOCK_AGREES_MS && ahead_ms < CLOCK_AGREES_MS;
	if (does_agree != (daemon->ahead_ms == 0)) {
		char text[DURATION_TEXT_BYTES];
		LOG(daemon->opts.log, LOG_WARN, "clock",
		    does_agree ? "this clock agrees with the API server's again"
			       : "this clock is not the API server's; its is believed",
		    { "by", duration_format(ahead_ms < 0 ? -ahead_ms : ahead_ms, text) },
		    { "direction", ahead_ms < 0 ? "behind" : "ahead" });
	}
	int64_t moved_ms = (does_agree ? 0 : ahead_ms) - daemon->ahead_ms;
	if (moved_ms > CLOCK_AGREES_MS || moved_ms < -CLOCK_AGREES_MS)
		daemon->jumped =
			daemon->now.mono; /* the time that we reckon with has: as if our own clock had jumped */
	daemon->ahead_ms = does_agree ? 0 : ahead_ms;
}

/* Nothing works without the API server, and its absence must not look like a quiet night: told once, and when it is
 * over. The Lease is asked for every few seconds by every replica, so it is the one that notices. KIND "" is no
 * trouble; one of the same kind is not told again, although each address fails in words of its own. */
static void tell_reached(struct daemon *daemon, const char *kind, const char *why)
{
	if (strcmp(daemon->lease_trouble, kind) == 0)
		return;
	bool is_over = kind[0] == '\0';
	LOG(daemon->opts.log, is_over ? LOG_INFO : LOG_WARN, "lease",
	    is_over ? "the API server answers again" : "the API server cannot be asked for the Lease",
	    { "why", is_over ? NULL : why });
	(void)TEXT_COPY(daemon->lease_trouble, kind); /* too long comes out empty: told again then */
}

void kube_lease_heard(struct daemon *daemon, const struct call *call)
{
	compare_clocks(daemon, &call->answer);
	bool was_leader = lease_leads(&daemon->lease, daemon->now.mono);
	json_t *json = call_json(call);
	struct lease_record record = { 0 };
	int status = call->answer.status;
	bool is_read = status >= 200 && status < 300 && json != NULL && lease_read(json, &record, NULL);
	if (status == 401)
		access_refused(daemon->access, daemon->now);
	const char *said = status_message(&daemon->arena, status, json, call->answer.body);
	if (status == 0)
		tell_reached(daemon, "no answer", call->answer.why.text);
	else if (is_read || status == 404 || status == 409)
		tell_reached(daemon, "", "");
	else
		tell_reached(daemon, said, said);
	lease_heard(&daemon->lease, daemon->now, &daemon->rng, is_read || status >= 300 ? status : 0,
		    is_read ? &record : NULL);
	if (is_read) {
		json_decref(daemon->lease_object);
		daemon->lease_object = json_incref(json);
	}
	json_decref(json);
	led_or_not(daemon, was_leader);
}
