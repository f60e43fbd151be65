/* The journal in its ConfigMap. Every write carries the resourceVersion that this leader read after it was elected, so
 * a deposed leader's write conflicts, and it cannot begin an act. It is a patch of the journal's own key: what people
 * write beside it (the switches) is theirs. Their writes make ours conflict, too: then it is read again, and goes on.
 */
#include <string.h>

#include "base/jsonx.h"
#include "daemon/daemon_int.h"
#include "kube/state_object.h"

#define JOURNAL_TIMEOUT_MS (10 * SEC)
#define JOURNAL_PAUSE_MS (5 * SEC) /* between writes that nothing waits for */
#define JOURNAL_RETRY_MS (2 * SEC)
/* Of a write only the new resourceVersion is wanted back, not the whole journal again. */
#define METADATA_ONLY "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

void journal_forget(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->ops.count; i++)
		call_cancel(daemon, daemon->ops.list[i].call); /* the ticket is torn; the new leader will look */
	daemon->ops.count = 0;
	history_forget(&daemon->history);
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
	const char *body =
		is_new ? configmap_body(arena, daemon->namespace, STATE_CONFIGMAP, STATE_KEY, buf_cstr(&text))
		       : configmap_patch(arena, daemon->journal_version, STATE_KEY, buf_cstr(&text));
	buf_done(&text);
	if (!kube_start_as(daemon, OWN_JOURNAL, is_new ? "POST" : "PATCH", path, METADATA_ONLY,
			   is_new ? NULL : PATCH_MERGE, body, JOURNAL_TIMEOUT_MS, false, &daemon->journal_call)) {
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

/* Somebody deleted it while nothing changed: what runs must not be only in our memory. The watch may lag behind our own
 * writes, so only a quiet journal is looked for; and rarely, in case the watch is wrong. */
static void look_for_it(struct daemon *daemon)
{
	bool is_quiet = daemon->dirty == daemon->saved && daemon->has_configmap &&
			daemon->now.mono.ms >= daemon->journal_due.ms;
	if (!is_quiet || daemon->now.mono.ms < daemon->journal_missed.ms || !switch_is_fresh(daemon) ||
	    state_object_has_beside(daemon->state_object))
		return;
	daemon->journal_missed.ms = daemon->now.mono.ms + MINUTE;
	daemon->dirty++;
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
	look_for_it(daemon);
	bool is_due = daemon->now.mono.ms >= daemon->journal_due.ms;
	if ((daemon->dirty != daemon->saved && is_due) ||
	    (is_awaited(daemon) && (is_due || daemon->journal_failures == 0)))
		write_start(daemon);
}

/* What another leader left, or we ourselves before a lost answer. */
static void take_over(struct daemon *daemon, const char *text)
{
	struct err err = { 0 };
	struct history before = daemon->history; /* what a standby saw of storms, it knows as a leader too */
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
	history_keep_sight(&daemon->history, &before);
	history_done(&before);
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

/* What we know is the truth; it only has to be written over this version, or into a new ConfigMap (version ""). */
static void write_anew(struct daemon *daemon, const char *version)
{
	(void)TEXT_COPY(daemon->journal_version, version);
	daemon->has_configmap = version[0] != '\0';
	daemon->must_reread = false;
	daemon->journal_due = daemon->now.mono;
	daemon->dirty++;
}

/* Our own write whose answer was lost is ours still, and so is a journal that a person took away: no other leader was
 * there, or it would have left its own. Anybody else's means that we do not lead. */
static void reread(struct daemon *daemon, const char *version, const char *text)
{
	CLEANUP(json_decrefp) json_t *document = text != NULL ? json_parse(str_of(text), NULL) : NULL;
	if (text == NULL)
		LOG(daemon->opts.log, LOG_WARN, "journal", "somebody deleted the journal: it is written anew");
	if (text == NULL || text_eq(json_text(document, "leader"), daemon->lease.opts.identity)) {
		write_anew(daemon, version);
		return;
	}
	LOG(daemon->opts.log, LOG_WARN, "journal", "somebody else wrote the journal: stepping down",
	    { "writer", json_text(document, "leader") });
	journal_forget(daemon);
	lease_step_down(&daemon->lease, daemon->now);
}

static void heard_read(struct daemon *daemon, const struct call *call, const json_t *json)
{
	daemon->is_journal_reading = false;
	int status = call->answer.status;
	const char *version = status == 404 ? "" : json_text(json, "metadata.resourceVersion");
	const char *text = json_string_value(json_object_get(json_object_get(json, "data"), STATE_KEY));
	if ((status != 200 && status != 404) || version == NULL) {
		retry_later(daemon, "the journal cannot be read",
			    status == 0 ? call->answer.why.text
					: status_message(&daemon->arena, status, json, call->answer.body));
		return;
	}
	if (daemon->must_reread) {
		reread(daemon, version, status == 200 ? text : NULL);
		return;
	}
	(void)TEXT_COPY(daemon->journal_version, version);
	daemon->has_configmap = status == 200;
	if (status == 200 && text != NULL)
		take_over(daemon, text);
	else
		daemon->is_journal_loaded = true; /* none, or an empty one, made by whoever installed us */
	daemon->dirty++;                          /* claim it: the first write carries our name */
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
	/* Another leader wrote, or our own write of which the answer was lost, or a person changed or deleted it: look.
	 */
	daemon->must_reread = true;
	if ((status == 409 || status == 404) && daemon->journal_failures == 0) {
		daemon->is_journal_safe = false;
		daemon->journal_failures = 1; /* the next conflict in a row waits */
		daemon->journal_due = daemon->now.mono;
		LOG(daemon->opts.log, LOG_INFO, "journal", "somebody else changed the ConfigMap: reading it again");
		return;
	}
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
