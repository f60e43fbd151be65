/* The Kubernetes side of the daemon: credentials, the watch of the nodes, the Lease. */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "daemon/daemon_int.h"

#define LEASE_TIMEOUT_MS (5 * SEC)
#define CLOCK_AGREES_MS (10 * SEC) /* the Date header has seconds, and the answer took its time */
#define CREDENTIAL_WAIT_MS (1 * SEC)
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
	if (!kube_is_ready(daemon))
		return false;
	struct http_request request = { 0 };
	access_request(daemon->access, &daemon->arena, method, path, NULL, content_type, str_of(body), &request);
	request.timeout_ms = timeout_ms;
	request.is_once = is_once;
	uint64_t id = call_start(daemon, owner, &request);
	if (id == 0)
		return false;
	*out_id = id;
	return true;
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
	tell_view(daemon);
	if (reflector_turn(daemon->reflector, daemon->now, &daemon->rng) && daemon->watch_id != 0) {
		daemon->opts.http->cancel(daemon->opts.http->ctx, daemon->watch_id);
		daemon->watch_id = 0;
	}
	if (daemon->watch_id != 0 || !kube_is_ready(daemon))
		return;
	struct reflector_request ask = { 0 };
	if (!reflector_poll(daemon->reflector, daemon->now, &daemon->rng, &daemon->arena, &ask))
		return;
	struct http_request request = { 0 };
	access_request(daemon->access, &daemon->arena, "GET", ask.path, ask.accept, NULL, (struct str){ 0 }, &request);
	request.timeout_ms = ask.timeout_ms;
	request.silence_ms = ask.silence_ms;
	request.answer_bytes_max = ask.answer_bytes_max;
	daemon->watch_id = ++daemon->calls_made;
	daemon->opts.http->start(daemon->opts.http->ctx, daemon->watch_id, &request, daemon_sink(daemon));
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
	daemon->ahead_ms = does_agree ? 0 : ahead_ms;
}

/* Nothing works without the API server, and its absence must not look like a quiet night: told once, and when it is
 * over. The Lease is asked for every few seconds by every replica, so it is the one that notices. */
static void tell_reached(struct daemon *daemon, const char *why)
{
	if (strcmp(daemon->lease_trouble, why) == 0)
		return;
	bool is_over = why[0] == '\0';
	LOG(daemon->opts.log, is_over ? LOG_INFO : LOG_WARN, "lease",
	    is_over ? "the API server answers again" : "the API server cannot be asked for the Lease",
	    { "why", is_over ? NULL : why });
	(void)TEXT_COPY(daemon->lease_trouble, why); /* too long comes out empty: told again then */
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
	if (status == 0)
		tell_reached(daemon, call->answer.why.text);
	else if (is_read || status == 404 || status == 409)
		tell_reached(daemon, "");
	else
		tell_reached(daemon, status_message(&daemon->arena, status, json, call->answer.body));
	lease_heard(&daemon->lease, daemon->now, &daemon->rng, is_read || status >= 300 ? status : 0,
		    is_read ? &record : NULL);
	if (is_read) {
		json_decref(daemon->lease_object);
		daemon->lease_object = json_incref(json);
	}
	json_decref(json);
	led_or_not(daemon, was_leader);
}
