/* The whole daemon against a small API server that the test scripts: the operator's switches, the journal that others
 * write into, and an API server that dies at one address. The cloud refuses every connection. */
#include "kube_fixture.h"

#include <time.h>

#include "base/jsonx.h"
#include "daemon/daemon_int.h"
#include "kube/state_object.h"

#define NS "kube-system"
#define MAPS "/api/v1/namespaces/" NS "/configmaps"
#define MAP MAPS "/" STATE_CONFIGMAP
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/" NS "/leases"
#define ASKED_MAX 128
#define HOP_MS 3

struct asked {
	uint64_t id; /* 0: free, or answered */
	struct http_sink sink;
	char method[8], path[300], to[64], type[64], accept[128];
	struct buf body;
	bool is_stream, is_open; /* open: its head was answered */
	int64_t at_ms, timeout_ms, heard_ms;
};

enum mood { WELL, REFUSES, SILENT, UNWELL /* 500 */, EMPTY /* a balancer's 503 */, BUSY /* its own 503 */ };

struct rig {
	struct daemon *daemon;
	struct config *config;
	struct http_port http;
	struct file_port files;
	struct log_port log;
	struct now now;
	int64_t due_ms;
	struct asked asked[ASKED_MAX];
	struct buf lines; /* of the log */
	unsigned wakes;

	/* the API server */
	enum mood first;     /* at the URL's own address */
	enum mood others;    /* at the masters' */
	bool hides_switches; /* 403 to the watch of the ConfigMap */
	bool loses_writes;   /* takes the journal, and the answer is lost */
	json_t *lease;
	unsigned version;
	bool has_map;
	unsigned map_version;
	char *state, *pauses; /* NULL: no such key */
	unsigned patches, posts, puts, conflicts, lists;
	bool has_date;
	int64_t date_ahead_ms; /* of the API server's clock */
};

/* --- ports --- */

static bool no_file(void *ctx, const char *path, struct buf *out, struct err *err)
{
	(void)ctx;
	(void)out;
	return fail(err, ERR_GONE, "%s: no such file", path);
}

static const char *home_alone(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "HOME") == 0 ? "/h" : NULL;
}

static void keep_line(void *ctx, enum log_level level, const char *component, const char *message,
		      const struct log_field *fields, size_t count)
{
	struct rig *rig = ctx;
	static const char *const levels[] = { "ERROR", "WARN", "INFO", "DEBUG" };
	(void)buf_printf(&rig->lines, "%s %s: %s", levels[level], component, message);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].value != NULL)
			(void)buf_printf(&rig->lines, " %s=\"%s\"", fields[i].key, fields[i].value);
	}
	(void)buf_char(&rig->lines, '\n');
}

static void wake(void *ctx, bool is_urgent)
{
	struct rig *rig = ctx;
	rig->wakes += is_urgent;
	rig->due_ms = rig->now.mono.ms;
}

static const char *header_of(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->headers_count; i++) {
		if (strcmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	}
	return "";
}

static void on_start(void *ctx, uint64_t id, const struct http_request *request, const struct http_sink *sink)
{
	struct rig *rig = ctx;
	struct asked *asked = rig->asked;
	while (asked->id != 0)
		assert_true(++asked < rig->asked + ASKED_MAX);
	*asked = (struct asked){ .id = id,
				 .sink = *sink,
				 .is_stream = request->silence_ms > 0,
				 .at_ms = rig->now.mono.ms,
				 .timeout_ms = request->timeout_ms };
	static const char server[] = "https://api.example:6443";
	bool is_kube = text_starts(request->url, server);
	(void)TEXT_COPY(asked->method, request->method);
	assert_true(TEXT_COPY(asked->path, is_kube ? request->url + strlen(server) : "cloud"));
	(void)TEXT_COPY(asked->to, request->connect_to);
	(void)TEXT_COPY(asked->type, header_of(request, "Content-Type"));
	(void)TEXT_COPY(asked->accept, header_of(request, "Accept"));
	buf_init(&asked->body, (size_t)2 << 20);
	(void)buf_add(&asked->body, request->body.p, request->body.n);
}

static void forget(struct asked *asked)
{
	buf_done(&asked->body);
	asked->id = 0;
}

static void on_cancel(void *ctx, uint64_t id)
{
	struct rig *rig = ctx;
	for (size_t i = 0; i < ASKED_MAX; i++) {
		if (rig->asked[i].id == id)
			forget(&rig->asked[i]);
	}
}

/* --- the API server --- */

static void answer(struct asked *asked, int status, enum err_code why, const char *headers, struct str body)
{
	struct http_answer a = { .status = status, .headers = str_of(headers), .body = body };
	if (status == 0)
		(void)fail(&a.why, why, "%s from %s", err_code_name(why), asked->to[0] != '\0' ? asked->to : "home");
	struct http_sink sink = asked->sink;
	uint64_t id = asked->id;
	forget(asked);
	sink.done(sink.ctx, id, &a);
}

static void answer_json(struct asked *asked, int status, const char *body)
{
	answer(asked, status, ERR_NONE, "content-type: application/json\n", str_of(body));
}

static void answer_status(struct asked *asked, int status)
{
	char body[100];
	(void)snprintf(body, sizeof body, "{\"kind\":\"Status\",\"code\":%d,\"message\":\"no: %d\"}", status, status);
	answer_json(asked, status, body);
}

static struct buf map_message(const struct rig *rig)
{
	struct buf meta = new_buf();
	struct buf out = new_buf();
	char version[16];
	(void)snprintf(version, sizeof version, "%u", rig->map_version);
	put_text(&meta, 1, STATE_CONFIGMAP);
	put_text(&meta, 6, version);
	put_message(&out, 1, &meta);
	if (rig->state != NULL)
		put_entry(&out, 2, STATE_KEY, rig->state);
	if (rig->pauses != NULL)
		put_entry(&out, 2, SWITCHES_KEY, rig->pauses);
	return out;
}

static bool is_switch_watch(const struct asked *asked)
{
	return asked->id != 0 && asked->is_stream && text_starts(asked->path, MAPS "?");
}

static void tell_watchers(struct rig *rig, const char *type)
{
	for (size_t i = 0; i < ASKED_MAX; i++) {
		struct asked *asked = &rig->asked[i];
		if (!is_switch_watch(asked) || !asked->is_open)
			continue;
		struct buf stream = new_buf();
		struct buf message = map_message(rig);
		struct buf object = enveloped("ConfigMap", &message);
		put_frame(&stream, type, &object);
		asked->sink.bytes(asked->sink.ctx, asked->id, buf_str(&stream));
		buf_done(&stream);
	}
}

static void map_changed(struct rig *rig, const char *type)
{
	rig->map_version = ++rig->version;
	tell_watchers(rig, type);
}

static void set(char **text, const char *to)
{
	free(*text);
	*text = xstrdup(to);
}

/* A person with kubectl. */
static void person_pauses(struct rig *rig, const char *pauses)
{
	bool was_there = rig->has_map;
	rig->has_map = true;
	set(&rig->pauses, pauses);
	map_changed(rig, was_there ? "MODIFIED" : "ADDED");
}

static void person_deletes(struct rig *rig)
{
	map_changed(rig, "DELETED");
	rig->has_map = false;
	set(&rig->state, NULL);
	set(&rig->pauses, NULL);
}

static void map_answer(struct rig *rig, struct asked *asked, int status)
{
	json_t *data = json_object();
	char version[16];
	(void)snprintf(version, sizeof version, "%u", rig->map_version);
	if (rig->state != NULL)
		json_object_set_new(data, STATE_KEY, json_string(rig->state));
	if (rig->pauses != NULL)
		json_object_set_new(data, SWITCHES_KEY, json_string(rig->pauses));
	json_t *json = json_pack("{s:s,s:{s:s},s:o}", "kind", "ConfigMap", "metadata", "resourceVersion", version,
				 "data", data);
	char *text = json_dumps(json, 0);
	answer_json(asked, status, text);
	free(text);
	json_decref(json);
}

static void map_write(struct rig *rig, struct asked *asked)
{
	json_t *body = json_parse(buf_str(&asked->body), NULL);
	const json_t *data = json_object_get(body, "data");
	bool is_patch = strcmp(asked->method, "PATCH") == 0;
	char version[16];
	(void)snprintf(version, sizeof version, "%u", rig->map_version);
	bool is_there = is_patch == rig->has_map;
	bool is_current = !is_patch || text_eq(json_text(body, "metadata.resourceVersion"), version);
	assert_string_equal(asked->type, is_patch ? "application/merge-patch+json" : "application/json");
	assert_int_equal(json_object_size(data), 1); /* its own key and nothing else */
	if (is_patch)
		assert_int_equal(json_object_size(body), 2);
	if (is_there && is_current) {
		rig->has_map = true;
		set(&rig->state, json_string_value(json_object_get(data, STATE_KEY)));
		assert_non_null(rig->state);
		map_changed(rig, is_patch ? "MODIFIED" : "ADDED");
		if (rig->loses_writes)
			answer(asked, 0, ERR_TIMEOUT, "", STR(""));
		else
			map_answer(rig, asked, is_patch ? 200 : 201);
	} else {
		rig->conflicts++;
		answer_status(asked, is_there || !is_patch ? 409 : 404);
	}
	rig->patches += is_patch;
	rig->posts += !is_patch;
	json_decref(body);
}

static void serve_map(struct rig *rig, struct asked *asked)
{
	if (strcmp(asked->method, "GET") != 0)
		map_write(rig, asked);
	else if (rig->has_map)
		map_answer(rig, asked, 200);
	else
		answer_status(asked, 404);
}

static void serve_lease(struct rig *rig, struct asked *asked)
{
	if (strcmp(asked->method, "GET") == 0 && rig->lease == NULL) {
		answer_status(asked, 404);
		return;
	}
	if (strcmp(asked->method, "GET") != 0) {
		char version[16];
		(void)snprintf(version, sizeof version, "%u", ++rig->version);
		json_decref(rig->lease);
		rig->lease = json_parse(buf_str(&asked->body), NULL);
		json_object_set_new(json_object_get(rig->lease, "metadata"), "resourceVersion", json_string(version));
	}
	char *text = json_dumps(rig->lease, 0);
	char headers[128] = "content-type: application/json\n";
	if (rig->has_date) {
		struct tm tm;
		char date[64];
		time_t seconds = (time_t)((rig->now.wall.ms + rig->date_ahead_ms) / 1000);
		assert_non_null(gmtime_r(&seconds, &tm));
		assert_true(strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
		(void)snprintf(headers, sizeof headers, "content-type: application/json\ndate: %s\n", date);
	}
	answer(asked, 200, ERR_NONE, headers, str_of(text));
	free(text);
}

static void put_master(struct buf *stream, const char *name, const char *address)
{
	struct buf meta = new_buf();
	struct buf status = new_buf();
	struct buf node = new_buf();
	put_text(&meta, 1, name);
	put_text(&meta, 6, "5");
	put_entry(&meta, 11, "node-role.kubernetes.io/control-plane", "");
	put_condition(&status, "Ready", "True", "KubeletReady", 1, 1);
	put_entry(&status, 5, "InternalIP", address);
	put_message(&node, 1, &meta);
	put_message(&node, 3, &status);
	struct buf object = enveloped("Node", &node);
	put_frame(stream, "ADDED", &object);
}

static enum mood mood_of(const struct rig *rig, const struct asked *asked)
{
	return asked->to[0] != '\0' ? rig->others : rig->first;
}

static void put_mark(struct buf *stream, const char *kind, const char *version, bool is_initial_end)
{
	struct buf meta = new_buf();
	struct buf bookmark = new_buf();
	put_text(&meta, 6, version);
	if (is_initial_end)
		put_entry(&meta, 12, "k8s.io/initial-events-end", "true");
	put_message(&bookmark, 1, &meta);
	struct buf object = enveloped(kind, &bookmark);
	put_frame(stream, "BOOKMARK", &object);
}

/* A stream goes on: bookmarks of the nodes; none of the ConfigMap, which nobody changes. */
static void serve_open(struct rig *rig, struct asked *asked)
{
	int64_t limit_ms = strtol(strstr(asked->path, "timeoutSeconds=") + 15, NULL, 10) * SEC;
	if (mood_of(rig, asked) != WELL) {
		answer(asked, 0, ERR_NETWORK, "", STR(""));
	} else if (rig->now.mono.ms - asked->at_ms >= limit_ms) {
		answer(asked, 200, ERR_NONE, "", STR(""));
	} else if (!is_switch_watch(asked) && rig->now.mono.ms - asked->heard_ms >= MINUTE) {
		struct buf stream = new_buf();
		asked->heard_ms = rig->now.mono.ms;
		put_mark(&stream, "Node", "51", false);
		asked->sink.bytes(asked->sink.ctx, asked->id, buf_str(&stream));
		buf_done(&stream);
	}
}

static void serve_stream(struct rig *rig, struct asked *asked)
{
	struct buf stream = new_buf();
	struct http_answer head = { .status = 200, .headers = STR(""), .body = STR("") };
	bool is_switches = is_switch_watch(asked);
	if (is_switches && rig->hides_switches) {
		answer_status(asked, 403);
		return;
	}
	asked->is_open = true;
	asked->sink.head(asked->sink.ctx, asked->id, &head);
	if (!is_switches) {
		put_master(&stream, "m-0", "10.0.0.5");
		put_master(&stream, "m-1", "10.0.0.6");
		put_master(&stream, "m-2", "10.0.0.7");
	} else if (rig->has_map) {
		struct buf message = map_message(rig);
		struct buf object = enveloped("ConfigMap", &message);
		put_frame(&stream, "ADDED", &object);
	}
	rig->lists++;
	put_mark(&stream, is_switches ? "ConfigMap" : "Node", "50", true);
	asked->heard_ms = rig->now.mono.ms;
	asked->sink.bytes(asked->sink.ctx, asked->id, buf_str(&stream));
	buf_done(&stream);
}

static void serve(struct rig *rig, struct asked *asked)
{
	enum mood mood = strcmp(asked->path, "cloud") == 0 ? REFUSES : mood_of(rig, asked);
	int64_t age_ms = rig->now.mono.ms - asked->at_ms;
	if (mood == SILENT) {
		if (!asked->is_open && age_ms >= asked->timeout_ms)
			answer(asked, 0, ERR_TIMEOUT, "", STR(""));
		return;
	}
	if (asked->is_open)
		serve_open(rig, asked);
	else if (age_ms < HOP_MS)
		return;
	else if (mood == REFUSES)
		answer(asked, 0, ERR_REFUSED, "", STR(""));
	else if (mood == EMPTY)
		answer(asked, 503, ERR_NONE, "content-type: text/html\n", STR("<p>none"));
	else if (mood != WELL)
		answer_status(asked, mood == UNWELL ? 500 : 503);
	else if (asked->is_stream)
		serve_stream(rig, asked);
	else if (text_starts(asked->path, MAPS))
		serve_map(rig, asked);
	else if (text_starts(asked->path, LEASES))
		serve_lease(rig, asked);
	else
		answer_status(asked, 404);
}

/* --- the rig --- */

static void pass(struct rig *rig, int64_t ms)
{
	for (int64_t end = rig->now.mono.ms + ms; rig->now.mono.ms < end;) {
		rig->now.mono.ms++;
		rig->now.wall.ms++;
		for (size_t i = 0; i < ASKED_MAX; i++) {
			if (rig->asked[i].id != 0)
				serve(rig, &rig->asked[i]);
		}
		if (rig->now.mono.ms >= rig->due_ms)
			rig->due_ms = daemon_turn(rig->daemon, rig->now);
	}
}

static int setup(void **state)
{
	struct rig *rig = xcalloc(1, sizeof *rig);
	struct err err = { 0 };
	struct conf_problems problems = { 0 };
	rig->http = (struct http_port){ rig, on_start, on_cancel };
	rig->files = (struct file_port){ rig, no_file, home_alone };
	rig->log = (struct log_port){ rig, keep_line };
	rig->now = (struct now){ { 1000000 }, { 1763800000000 } };
	buf_init(&rig->lines, (size_t)1 << 20);
	rig->config =
		conf_parse(STR("cluster-name: c\n"
			       "kubernetes: {api-host: 'https://api.example:6443'}\n"
			       "openstack: {auth-url: 'https://k/v3', user-id: u, password: p, project-id: pr}\n"),
			   "f", &problems);
	assert_non_null(rig->config);
	conf_problems_done(&problems);
	struct daemon_opts opts = { .config = rig->config,
				    .http = &rig->http,
				    .files = &rig->files,
				    .log = &rig->log,
				    .wake_ctx = rig,
				    .wake = wake,
				    .seed = 7,
				    .lease = { .identity = "me" } };
	rig->daemon = daemon_new(&opts, rig->now, &err);
	assert_non_null(rig->daemon);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	daemon_free(rig->daemon);
	for (size_t i = 0; i < ASKED_MAX; i++)
		assert_int_equal(rig->asked[i].id, 0); /* all were cancelled */
	conf_free(rig->config);
	json_decref(rig->lease);
	free(rig->state);
	free(rig->pauses);
	buf_done(&rig->lines);
	free(rig);
	return 0;
}

static bool said(struct rig *rig, const char *text)
{
	return strstr(buf_cstr(&rig->lines), text) != NULL;
}

static size_t times_said(struct rig *rig, const char *text)
{
	size_t count = 0;
	for (const char *at = buf_cstr(&rig->lines); (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

static bool leads(struct rig *rig)
{
	struct daemon_view view;
	daemon_look(rig->daemon, &view);
	return view.is_leader;
}

#define AT_WORK(rig)                                                                                                   \
	do {                                                                                                           \
		pass((rig), 2000);                                                                                     \
		assert_true(leads(rig));                                                                               \
		assert_true((rig)->daemon->is_journal_safe);                                                           \
		assert_true(switch_is_fresh((rig)->daemon));                                                           \
		buf_clear(&(rig)->lines);                                                                              \
	} while (0)

/* --- the switches --- */

#define PAUSE "[{\"what\":\"cluster\",\"reason\":\"switch swap\",\"by\":\"kim\"}]"

static void a_pause_is_seen_at_once(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	assert_false(switches_is_paused(&rig->daemon->switches, NULL, rig->now.wall));
	unsigned wakes = rig->wakes;
	person_pauses(rig, PAUSE);
	assert_true(rig->wakes > wakes);
	pass(rig, 1);
	assert_true(switches_is_paused(&rig->daemon->switches, NULL, rig->now.wall));
	assert_true(said(rig, "INFO switch: paused what=\"cluster\" by=\"kim\" reason=\"switch swap\"\n"));
	person_pauses(rig, "[]");
	pass(rig, 1);
	assert_false(switches_is_paused(&rig->daemon->switches, NULL, rig->now.wall));
	assert_true(said(rig, "INFO switch: resumed what=\"cluster\" why=\"the pause was taken away\"\n"));
	assert_int_equal(times_said(rig, "switch:"), 2);
}

static void a_pause_of_the_past_is_known_at_the_start(void **state)
{
	struct rig *rig = *state;
	person_pauses(rig, PAUSE);
	assert_false(switch_is_fresh(rig->daemon)); /* and nothing is begun before it is */
	AT_WORK(rig);
	assert_true(switches_is_paused(&rig->daemon->switches, NULL, rig->now.wall));
	assert_non_null(rig->state);
	assert_string_equal(rig->pauses, PAUSE); /* the journal was written beside it */
}

static void a_pause_ends_in_time(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	char pauses[200];
	char until[WALL_TEXT_BYTES];
	(void)snprintf(pauses, sizeof pauses, "[{\"what\":\"node\",\"name\":\"n-1\",\"until\":\"%s\"}]",
		       wall_format((struct wall){ rig->now.wall.ms + 90 * SEC }, until));
	person_pauses(rig, pauses);
	pass(rig, 80 * SEC);
	assert_true(said(rig, "INFO switch: paused what=\"node\" name=\"n-1\" until=\""));
	assert_false(said(rig, "resumed"));
	pass(rig, 11 * SEC);
	assert_int_equal(times_said(rig, "INFO switch: resumed what=\"node\" name=\"n-1\" why=\"its time is over\"\n"),
			 1);
	person_pauses(rig, NULL);
	pass(rig, 10);
	assert_int_equal(times_said(rig, "resumed"), 1); /* it was over already */
}

static void only_what_changed_is_told(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	person_pauses(rig, "[{\"what\":\"group\",\"name\":\"g\",\"reason\":\"a\"},{\"what\":\"node\",\"name\":\"n\"}]");
	pass(rig, 1);
	assert_int_equal(times_said(rig, "paused"), 2);
	person_pauses(rig, "[{\"what\":\"group\",\"name\":\"g\",\"reason\":\"b\"},{\"what\":\"node\",\"name\":\"n\"}]");
	pass(rig, 1);
	assert_int_equal(times_said(rig, "paused"), 3);
	assert_int_equal(times_said(rig, "resumed"), 0);
	person_deletes(rig);
	pass(rig, 1);
	assert_int_equal(times_said(rig, "resumed"), 2);
}

static void a_garbled_text_pauses_and_says_what_to_do(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	person_pauses(rig, PAUSE);
	pass(rig, 1);
	person_pauses(rig, "[{]");
	pass(rig, 1);
	assert_true(rig->daemon->switches.is_garbled);
	assert_true(said(rig, "ERROR switch: the pauses are not understood, so everything is paused: correct "));
	char *long_text = xcalloc(1, STATE_TEXT_BYTES_MAX + 2);
	memset(long_text, ' ', STATE_TEXT_BYTES_MAX + 1);
	person_pauses(rig, long_text);
	pass(rig, 1);
	assert_true(rig->daemon->switches.is_garbled);
	assert_true(said(rig, "more than 64 KiB"));
	free(long_text);
	person_pauses(rig, NULL);
	pass(rig, 1);
	assert_false(rig->daemon->switches.is_garbled);
	assert_true(said(rig, "INFO switch: the pauses are understood again"));
}

static void without_the_right_nothing_is_fresh(void **state)
{
	struct rig *rig = *state;
	rig->hides_switches = true;
	pass(rig, 120 * SEC);
	assert_true(leads(rig));
	assert_false(switch_is_fresh(rig->daemon));
	assert_int_equal(times_said(rig, "the pauses may not be read"), 1);
	assert_true(said(rig, "needs get, list and watch"));
	rig->hides_switches = false;
	pass(rig, 35 * SEC);
	assert_true(switch_is_fresh(rig->daemon));
	assert_int_equal(times_said(rig, "INFO switch: the pauses are seen live"), 1);
}

/* --- the journal --- */

static void a_person_and_the_journal_do_not_overwrite_each_other(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	for (int i = 0; i < 5; i++) {
		char pauses[64];
		(void)snprintf(pauses, sizeof pauses, "[{\"what\":\"node\",\"name\":\"n-%d\"}]", i);
		person_pauses(rig, pauses);
		unsigned patches = rig->patches;
		rig->daemon->dirty++;
		rig->daemon->journal_due = rig->now.mono;
		rig->due_ms = rig->now.mono.ms;
		pass(rig, 100);
		assert_int_equal(rig->patches, patches + 2); /* refused, read again, written: at once */
		assert_string_equal(rig->pauses, pauses);
		assert_true(rig->daemon->is_journal_safe);
		assert_true(leads(rig));
		pass(rig, 6 * SEC);
	}
	assert_int_equal(rig->conflicts, 5);
	assert_false(said(rig, "stepping down"));
	assert_false(said(rig, "WARN journal"));
}

static void write_now(struct rig *rig)
{
	rig->daemon->dirty++;
	rig->daemon->journal_due = rig->now.mono;
	rig->due_ms = rig->now.mono.ms;
	pass(rig, 100);
}

/* One that waits for something that does not come soon. */
static void run_an_op(struct rig *rig)
{
	struct op_facts facts = { .node = "m-0", .node_uid = "u", .server = "s", .case_id = "case-1" };
	struct op *op = ops_add(&rig->daemon->ops);
	op_init(op, rig->daemon->provider->recipes[0], &facts, rig->now);
	op->due.ms = rig->now.mono.ms + HOUR;
	op->is_committed = true; /* a healthy node does not end it */
}

/* The repairs that run live in this leader's memory: whatever happens to the ConfigMap, they are written again. */
static void a_journal_that_is_taken_away_is_written_anew(void **state)
{
	struct rig *rig = *state;
	for (int is_whole = 0; is_whole < 2; is_whole++) {
		AT_WORK(rig);
		run_an_op(rig);
		if (is_whole) {
			person_deletes(rig);
		} else {
			set(&rig->state, NULL);
			map_changed(rig, "MODIFIED");
		}
		write_now(rig);
		assert_true(leads(rig));
		assert_true(rig->daemon->is_journal_safe);
		assert_int_equal(rig->daemon->ops.count, 1);
		assert_non_null(rig->state);
		assert_non_null(strstr(rig->state, "case-1"));
		assert_int_equal(times_said(rig, "somebody deleted the journal"), 1);
		rig->daemon->ops.count = 0;
	}
	assert_int_equal(rig->posts, 2);
}

/* ... although nothing changes that would be written anyway. */
static void a_quiet_journal_is_missed(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	pass(rig, 90 * SEC);
	unsigned patches = rig->patches;
	pass(rig, 300 * SEC);
	assert_int_equal(rig->patches, patches); /* quiet */
	person_deletes(rig);
	pass(rig, 10 * SEC);
	assert_non_null(rig->state);
	pass(rig, 90 * SEC);
	set(&rig->state, NULL);
	map_changed(rig, "MODIFIED");
	pass(rig, 10 * SEC);
	assert_non_null(rig->state);
	patches = rig->patches;
	pass(rig, 300 * SEC);
	assert_int_equal(rig->patches, patches);
	assert_true(leads(rig));
}

static void another_leaders_journal_ends_the_leadership(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	set(&rig->state, "{\"v\":1,\"leader\":\"somebody else\"}");
	map_changed(rig, "MODIFIED");
	write_now(rig);
	assert_true(said(rig, "stepping down"));
	assert_false(rig->daemon->is_journal_safe && rig->daemon->is_journal_loaded);
}

static void a_write_whose_answer_was_lost_is_ours(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	rig->loses_writes = true;
	write_now(rig);
	assert_false(rig->daemon->is_journal_safe);
	rig->loses_writes = false;
	pass(rig, 5 * SEC);
	assert_true(rig->daemon->is_journal_safe);
	assert_true(leads(rig));
	assert_int_equal(rig->conflicts, 0);
}

static void of_a_write_only_the_metadata_is_wanted(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	rig->first = SILENT;
	write_now(rig);
	bool is_found = false;
	for (size_t i = 0; i < ASKED_MAX; i++) {
		const struct asked *asked = &rig->asked[i];
		if (asked->id == 0 || strcmp(asked->method, "PATCH") != 0)
			continue;
		is_found = true;
		assert_string_equal(asked->path, MAP);
		assert_true(text_starts(asked->accept, "application/json;as=PartialObjectMetadata;"));
	}
	assert_true(is_found);
}

/* --- fail-over --- */

static void one_dead_address_does_not_cost_the_leadership(void **state)
{
	static const enum mood moods[] = { REFUSES, SILENT, UNWELL, EMPTY };
	(void)state;
	for (size_t i = 0; i < COUNT(moods); i++) {
		void *own = NULL;
		assert_int_equal(setup(&own), 0);
		struct rig *rig = own;
		print_message("# mood %d\n", (int)moods[i]);
		AT_WORK(rig);
		rig->first = moods[i];
		for (int s = 0; s < 240; s++) {
			pass(rig, SEC);
			assert_true(leads(rig));
		}
		assert_int_equal(times_said(rig, "the API server is asked at another address now"), 1);
		assert_true(said(rig, "address=\"10.0.0.5:6443\""));
		assert_true(reflector_is_fresh(rig->daemon->reflector, rig->now));
		assert_true(switch_is_fresh(rig->daemon));
		/* back where it was, in five minutes */
		rig->first = WELL;
		pass(rig, 80 * SEC);
		assert_true(said(rig, "address=\"https://api.example:6443\""));
		assert_true(leads(rig));
		write_now(rig);
		assert_true(rig->daemon->is_journal_safe);
		assert_int_equal(teardown(&own), 0);
	}
}

/* Too much to do is no reason to go and trouble the next one. */
static void a_busy_api_server_is_not_left(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	uint32_t way = access_way(rig->daemon->access);
	rig->first = BUSY;
	pass(rig, 120 * SEC);
	assert_int_equal(access_way(rig->daemon->access), way);
	rig->first = WELL;
	pass(rig, 60 * SEC);
	assert_true(leads(rig));
	assert_true(switch_is_fresh(rig->daemon));
}

static void while_nobody_answers_the_log_is_quiet(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	rig->first = rig->others = REFUSES;
	pass(rig, 300 * SEC);
	assert_false(leads(rig));
	assert_int_equal(times_said(rig, "the API server is asked at"), 0);
	assert_true(times_said(rig, "\n") < 12);
	rig->others = WELL;
	pass(rig, 60 * SEC);
	assert_true(leads(rig));
	assert_int_equal(times_said(rig, "the API server is asked at"), 1);
}

static void a_pause_is_seen_through_another_address(void **state)
{
	struct rig *rig = *state;
	AT_WORK(rig);
	rig->first = SILENT; /* the watches hang there, too */
	for (size_t i = 0; i < ASKED_MAX; i++)
		rig->asked[i].is_open = rig->asked[i].is_open && rig->asked[i].id != 0;
	pass(rig, 40 * SEC);
	size_t through_others = 0;
	for (size_t i = 0; i < ASKED_MAX; i++)
		through_others += rig->asked[i].id != 0 && rig->asked[i].is_open && rig->asked[i].to[0] != '\0';
	assert_int_equal(through_others, 2); /* both watches have left the dead address */
	person_pauses(rig, PAUSE);
	pass(rig, 1);
	assert_true(switches_is_paused(&rig->daemon->switches, NULL, rig->now.wall));
}

/* --- the clock --- */

/* The API server's clock is what we reckon with: when it moves, the ages of everything it wrote move with it. */
static void a_clock_of_the_api_server_that_moves(void **state)
{
	struct rig *rig = *state;
	static const struct {
		int64_t ahead_ms;
		bool has_jumped;
	} moves[] = {
		{ 0, false },
		{ 2 * SEC, false },
		{ HOUR, true },
		{ HOUR + 2 * SEC, false },
		{ HOUR + 30 * SEC, true },
		{ 0, true },
		{ -HOUR, true },
		{ 5 * SEC, true },
	};
	rig->has_date = true;
	AT_WORK(rig);
	for (size_t i = 0; i < COUNT(moves); i++) {
		rig->date_ahead_ms = moves[i].ahead_ms;
		struct mono before = rig->daemon->jumped;
		pass(rig, 30 * SEC); /* the Lease is renewed meanwhile */
		bool has_jumped = rig->daemon->jumped.ms != before.ms;
		if (has_jumped != moves[i].has_jumped)
			fail_msg("move %zu: %d", i, has_jumped);
		struct snapshot snapshot;
		snapshot_take(rig->daemon, &snapshot);
		assert_int_equal(snapshot.has_clock_jumped, moves[i].has_jumped);
		pass(rig, 2 * MINUTE);
		snapshot_take(rig->daemon, &snapshot);
		assert_false(snapshot.has_clock_jumped);
	}
}

int main(void)
{
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_pause_is_seen_at_once),
		WITH_RIG(a_pause_of_the_past_is_known_at_the_start),
		WITH_RIG(a_pause_ends_in_time),
		WITH_RIG(only_what_changed_is_told),
		WITH_RIG(a_garbled_text_pauses_and_says_what_to_do),
		WITH_RIG(without_the_right_nothing_is_fresh),
		WITH_RIG(a_person_and_the_journal_do_not_overwrite_each_other),
		WITH_RIG(a_journal_that_is_taken_away_is_written_anew),
		WITH_RIG(a_quiet_journal_is_missed),
		WITH_RIG(another_leaders_journal_ends_the_leadership),
		WITH_RIG(a_write_whose_answer_was_lost_is_ours),
		WITH_RIG(of_a_write_only_the_metadata_is_wanted),
		cmocka_unit_test(one_dead_address_does_not_cost_the_leadership),
		WITH_RIG(a_busy_api_server_is_not_left),
		WITH_RIG(while_nobody_answers_the_log_is_quiet),
		WITH_RIG(a_pause_is_seen_through_another_address),
		WITH_RIG(a_clock_of_the_api_server_that_moves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
