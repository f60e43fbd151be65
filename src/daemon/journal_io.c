/* The journal in its ConfigMap. Every write carries the resourceVersion that this leader read after it was elected, so
 * a deposed leader's write conflicts, and it cannot begin an act. */
#include <string.h>

#include "base/jsonx.h"
#include "daemon/daemon_int.h"

#define JOURNAL_TIMEOUT_MS (10 * SEC)
#define JOURNAL_PAUSE_MS (5 * SEC) /* between writes that nothing waits for */
#define JOURNAL_RETRY_MS (2 * SEC)

void journal_forget(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->ops.count; i++)
		call_cancel(daemon, daemon->ops.list[i].call); /* the ticket is torn; the new leader will look */
	daemon->ops.count = 0;
	struct mono storm_at = daemon->history.storm_at; /* what a standby saw of a storm, it knows as a leader too */
	history_done(&daemon->history);
	history_init(&daemon->history);
	daemon->history.storm_at = storm_at;
	daemon->plan = (struct plan){ 0 };
	daemon->judged_version = 0;
	daemon->is_journal_loaded = false;
	daemon->is_journal_safe = false;
	daemon->is_journal_reading = false;
	daemon->must_reread = false;
	daemon->writing = 0;
	call_cancel(daemon, daemon->journal_call); /* an answer that still comes is nobody's */
	daemon->journal_call = 0;
	daemon->has_configmap = false;
	daemon->dirty = daemon->saved = 0;
}

static const struct recipe *recipe_find(const void *ctx, const char *name)
{
	const struct provider_ops *provider = ctx;
	for (const struct recipe *const *at = provider->recipes; *at != NULL; at++) {
		if (strcmp((*at)->name, name) == 0)
			return *at;
	}
	return NULL;
}

static void retry_later(struct daemon *daemon, const char *what, const char *why)
{
	daemon->is_journal_safe = false;
	daemon->journal_failures++;
	int64_t pause_ms = JOURNAL_RETRY_MS * (daemon->journal_failures < 8 ? daemon->journal_failures : 8);
	daemon->journal_due.ms = daemon->now.mono.ms + pause_ms;
	LOG(daemon->opts.log, LOG_WARN, "journal", what, { "why", why });
}

static void read_start(struct daemon *daemon)
{
	const char *path = configmap_path(&daemon->arena, daemon->namespace, STATE_CONFIGMAP);
	if (kube_start(daemon, OWN_JOURNAL, "GET", path, NULL, NULL, JOURNAL_TIMEOUT_MS, false, &daemon->journal_call))
		daemon->is_journal_reading = true;
	else
		daemon->journal_due.ms = daemon->now.mono.ms + JOURNAL_RETRY_MS;
}

static void write_start(struct daemon *daemon)
{
	struct buf text;
	buf_init(&text, JOURNAL_BYTES_MAX);
	(void)TEXT_COPY(daemon->journal.leader, daemon->lease.opts.identity);
	if (!journal_write(&daemon->journal, &daemon->history, &daemon->ops, fair_now(daemon), &text)) {
		retry_later(daemon, "the journal has become too large to be stored", "more than 768 KiB");
		buf_done(&text);
		return;
	}
	bool is_new = !daemon->has_configmap;
	struct arena *arena = &daemon->arena;
	const char *path = is_new ? configmaps_path(arena, daemon->namespace)
				  : configmap_path(arena, daemon->namespace, STATE_CONFIGMAP);
	const char *body = configmap_body(arena, daemon->namespace, STATE_CONFIGMAP,
					  is_new ? "" : daemon->journal_version, STATE_KEY, buf_cstr(&text));
	buf_done(&text);
	if (!kube_start(daemon, OWN_JOURNAL, is_new ? "POST" : "PUT", path, NULL, body, JOURNAL_TIMEOUT_MS, false,
			&daemon->journal_call)) {
		daemon->journal_due.ms = daemon->now.mono.ms + JOURNAL_RETRY_MS;
		return;
	}
	daemon->writing = ++daemon->writes;
	daemon->writing_dirty = daemon->dirty;
	for (size_t i = 0; i < daemon->ops.count; i++) {
		if (daemon->ops.list[i].needs_journal)
			daemon->ops.list[i].intent = daemon->writing;
	}
}

static bool is_awaited(const struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->ops.count; i++) {
		if (daemon->ops.list[i].needs_journal)
			return true;
	}
	return !daemon->is_journal_safe;
}

void journal_turn(struct daemon *daemon)
{
	if (!lease_leads(&daemon->lease, daemon->now.mono))
		return;
	if (daemon->history_seen != daemon->history.version) {
		daemon->history_seen = daemon->history.version;
		daemon->dirty++;
	}
	if (daemon->is_journal_reading || daemon->writing != 0)
		return;
	if (!daemon->is_journal_loaded || daemon->must_reread) {
		if (daemon->now.mono.ms >= daemon->journal_due.ms)
			read_start(daemon);
		return;
	}
	bool is_due = daemon->now.mono.ms >= daemon->journal_due.ms;
	if ((daemon->dirty != daemon->saved && is_due) ||
	    (is_awaited(daemon) && (is_due || daemon->journal_failures == 0)))
		write_start(daemon);
}

/* What another leader left, or we ourselves before a lost answer. */
static void take_over(struct daemon *daemon, const char *text)
{
	struct err err = { 0 };
	struct mono storm_at = daemon->history.storm_at;
	history_done(&daemon->history);
	history_init(&daemon->history);
	daemon->ops.count = 0;
	bool is_read = journal_read(str_of(text), recipe_find, daemon->provider, fair_now(daemon), &daemon->journal,
				    &daemon->history, &daemon->ops, &err);
	if (err.code != ERR_NONE)
		LOG(daemon->opts.log, is_read ? LOG_WARN : LOG_ERROR, "journal",
		    is_read ? "a part of the journal was left out"
			    : "the journal is not understood: nothing will be repaired; delete the "
			      "ConfigMap " STATE_CONFIGMAP " to begin anew",
		    { "why", err.text });
	if (storm_at.ms != 0 && storm_at.ms > daemon->history.storm_at.ms)
		daemon->history.storm_at = storm_at;
	if (!is_read) {
		daemon->journal_due.ms = daemon->now.mono.ms + MINUTE;
		return;
	}
	daemon->is_journal_loaded = true;
	daemon->judged_version = 0; /* every node is judged again, against the journal's cases */
	for (size_t i = 0; i < daemon->ops.count; i++)
		LOG(daemon->opts.log, LOG_INFO, "repair", "taken over", { "node", daemon->ops.list[i].facts.node },
		    { "recipe", daemon->ops.list[i].recipe->name }, { "step", op_step(&daemon->ops.list[i])->name });
}

/* Our own write whose answer was lost is ours still. Anybody else's means that we do not lead. */
static bool reread(struct daemon *daemon, const json_t *json)
{
	const char *text = json_string_value(json_object_get(json_object_get(json, "data"), STATE_KEY));
	CLEANUP(json_decrefp) json_t *document = text != NULL ? json_parse(str_of(text), NULL) : NULL;
	if (text_eq(json_text(document, "leader"), daemon->lease.opts.identity)) {
		(void)TEXT_COPY(daemon->journal_version, json_text_or(json, "metadata.resourceVersion", ""));
		daemon->has_configmap = true;
		daemon->must_reread = false;
		daemon->journal_due = daemon->now.mono;
		return true;
	}
	LOG(daemon->opts.log, LOG_WARN, "journal", "somebody else wrote the journal: stepping down",
	    { "writer", json_text(document, "leader") });
	journal_forget(daemon);
	lease_step_down(&daemon->lease, daemon->now);
	return false;
}

static void heard_read(struct daemon *daemon, const struct call *call, const json_t *json)
{
	daemon->is_journal_reading = false;
	int status = call->answer.status;
	if (daemon->must_reread && status == 200) {
		(void)reread(daemon, json);
		return;
	}
	if (status == 404) {
		daemon->has_configmap = false;
		daemon->is_journal_loaded = true;
		daemon->must_reread = false;
	} else if (status == 200 && json_text(json, "metadata.resourceVersion") != NULL) {
		daemon->has_configmap = true;
		(void)TEXT_COPY(daemon->journal_version, json_text(json, "metadata.resourceVersion"));
		const char *text = json_string_value(json_object_get(json_object_get(json, "data"), STATE_KEY));
		if (text == NULL)
			daemon->is_journal_loaded = true; /* an empty ConfigMap, made by whoever installed us */
		else
			take_over(daemon, text);
	} else {
		retry_later(daemon, "the journal cannot be read",
			    status == 0 ? call->answer.why.text
					: status_message(&daemon->arena, status, json, call->answer.body));
		return;
	}
	daemon->dirty++; /* claim it: the first write carries our name */
	daemon->history_seen = daemon->history.version;
}

static void heard_write(struct daemon *daemon, const struct call *call, const json_t *json)
{
	uint64_t written = daemon->writing;
	daemon->writing = 0;
	int status = call->answer.status;
	const char *version = json_text(json, "metadata.resourceVersion");
	if ((status == 200 || status == 201) && version != NULL) {
		(void)TEXT_COPY(daemon->journal_version, version);
		daemon->has_configmap = true;
		daemon->is_journal_safe = true;
		daemon->journal_failures = 0;
		daemon->saved = daemon->writing_dirty;
		daemon->journal_due.ms = daemon->now.mono.ms + JOURNAL_PAUSE_MS;
		for (size_t i = 0; i < daemon->ops.count; i++) {
			if (daemon->ops.list[i].needs_journal && daemon->ops.list[i].intent == written)
				op_journalled(&daemon->ops.list[i]);
		}
		return;
	}
	/* Another leader wrote, or our own write of which the answer was lost, or a person deleted it: look. */
	daemon->must_reread = true;
	retry_later(daemon, "the journal cannot be written",
		    status == 0 ? call->answer.why.text
				: status_message(&daemon->arena, status, json, call->answer.body));
}

void journal_heard(struct daemon *daemon, const struct call *call)
{
	CLEANUP(json_decrefp) json_t *json = call_json(call);
	if (call->answer.status == 401)
		access_refused(daemon->access, daemon->now);
	if (call->id != daemon->journal_call)
		return; /* of an earlier leadership */
	daemon->journal_call = 0;
	if (daemon->is_journal_reading)
		heard_read(daemon, call, json);
	else if (daemon->writing != 0)
		heard_write(daemon, call, json);
}
