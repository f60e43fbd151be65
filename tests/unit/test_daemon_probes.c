/* The daemon's probes, heartbeats, marks and phantoms: a whole daemon, and a port that only writes down what leaves. */
#include "kube_fixture.h"

#include "daemon/daemon_int.h"

#define SENT_MAX 4096
#define PROTOBUF "content-type: application/vnd.kubernetes.protobuf\n"
#define ENDPOINT "{type: Endpoint, params: {protocol: HTTP, endpoints: [/healthz], unhealthy-duration: 30s}}"
#define BASE                                                                                                           \
	"cluster-name: k8s\ncloud-provider: openstack\nleader-elect: false\nmonitor-interval: 10s\n"                   \
	"kubernetes: {api-host: 'http://api:8080'}\n"                                                                  \
	"openstack: {auth-url: 'http://keystone/v3', application-credential-id: a, application-credential-secret: "    \
	"s}\n"
#define READY "{type: NodeCondition}"
#define CHECKS(masters, workers) BASE "healthcheck:\n  master: [" masters "]\n  worker: [" workers "]\n"

struct sent {
	uint64_t id;
	char method[8];
	char url[600];
	char body[300];
	struct http_sink sink;
	bool is_open, is_over; /* a watch whose head came; answered or cancelled */
};

struct rig {
	struct config *config;
	struct daemon *daemon;
	struct http_port http;
	struct now now;
	struct sent sent[SENT_MAX];
	size_t count;
	int version;
	int warnings;
	char warned[240];
	bool is_deaf;             /* the API server says nothing to watches */
	const struct told *again; /* the nodes of a watch that begins later; NULL: none */
	size_t again_count;
};

/* ---- the world ----------------------------------------------------------------------------------------------------
 */

static void on_start(void *ctx, uint64_t id, const struct http_request *request, const struct http_sink *sink)
{
	struct rig *rig = ctx;
	assert_true(rig->count < SENT_MAX);
	struct sent *sent = &rig->sent[rig->count++];
	*sent = (struct sent){ .id = id, .sink = *sink };
	(void)TEXT_COPY(sent->method, request->method);
	(void)TEXT_COPY(sent->url, request->url);
	(void)str_copy(sent->body, sizeof sent->body, request->body);
}

static void on_cancel(void *ctx, uint64_t id)
{
	struct rig *rig = ctx;
	for (size_t i = 0; i < rig->count; i++) {
		if (rig->sent[i].id == id)
			rig->sent[i].is_over = true;
	}
}

static bool no_file(void *ctx, const char *path, struct buf *out, struct err *err)
{
	(void)ctx;
	(void)out;
	return (fail)(err, ERR_GONE, "%s: no such file", path);
}

static const char *home_only(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "HOME") == 0 ? "/nowhere" : NULL;
}

static void on_log(void *ctx, enum log_level level, const char *component, const char *message,
		   const struct log_field *fields, size_t count)
{
	struct rig *rig = ctx;
	(void)fields;
	(void)count;
	bool is_ours = strcmp(component, "heartbeat") == 0 || strcmp(component, "mark") == 0;
	if (level != LOG_WARN || !is_ours)
		return;
	rig->warnings++;
	(void)TEXT_COPY(rig->warned, message);
}

/* A Node as the API server tells it. */
struct told {
	const char *name, *address, *provider, *key, *value; /* NULL: none */
	bool is_master;
};

static void put_node(struct buf *out, const char *type, const struct told *told, int version)
{
	struct buf meta = new_buf();
	struct buf spec = new_buf();
	struct buf status = new_buf();
	struct buf node = new_buf();
	char text[32];
	(void)snprintf(text, sizeof text, "%d", version);
	put_text(&meta, 1, told->name);
	put_text(&meta, 5, told->name);
	put_text(&meta, 6, text);
	put_time(&meta, 8, 1763800000);
	if (told->is_master)
		put_entry(&meta, 11, "node-role.kubernetes.io/control-plane", "");
	if (told->key != NULL)
		put_entry(&meta, 12, told->key, told->value);
	if (told->provider != NULL)
		put_text(&spec, 3, told->provider);
	put_condition(&status, "Ready", "True", "KubeletReady", 1763800000, 1763800000);
	if (told->address != NULL)
		put_entry(&status, 5, "InternalIP", told->address);
	put_message(&node, 1, &meta);
	put_message(&node, 2, &spec);
	put_message(&node, 3, &status);
	struct buf object = enveloped("Node", &node);
	put_frame(out, type, &object);
}

static void put_empty_bookmark(struct buf *out, const char *kind, int version, bool is_end)
{
	struct buf meta = new_buf();
	struct buf object = new_buf();
	char text[32];
	(void)snprintf(text, sizeof text, "%d", version);
	put_text(&meta, 6, text);
	if (is_end)
		put_entry(&meta, 12, "k8s.io/initial-events-end", "true");
	put_message(&object, 1, &meta);
	struct buf envelope = enveloped(kind, &object);
	put_frame(out, "BOOKMARK", &envelope);
}

static void say(struct sent *sent, struct buf *bytes)
{
	sent->sink.bytes(sent->sink.ctx, sent->id, buf_str(bytes));
	buf_done(bytes);
}

/* The two watches are kept open and alive. */
static void serve_watches(struct rig *rig, const struct told *nodes, size_t count)
{
	for (size_t i = 0; i < rig->count; i++) {
		struct sent *sent = &rig->sent[i];
		if (sent->is_over || strstr(sent->url, "watch=") == NULL)
			continue;
		bool is_nodes = strstr(sent->url, "/api/v1/nodes?") != NULL;
		bool is_new = !sent->is_open;
		struct buf out = new_buf();
		if (is_new)
			sent->sink.head(sent->sink.ctx, sent->id,
					&(struct http_answer){ .status = 200, .headers = str_of(PROTOBUF) });
		sent->is_open = true;
		for (size_t n = 0; is_nodes && is_new && n < count; n++)
			put_node(&out, "ADDED", &nodes[n], ++rig->version);
		put_empty_bookmark(&out, is_nodes ? "Node" : "ConfigMap", ++rig->version, is_new);
		say(sent, &out);
	}
}

/* An event on the open watch of nodes. */
static void tell_node(struct rig *rig, const struct told *told)
{
	for (size_t i = 0; i < rig->count; i++) {
		struct sent *sent = &rig->sent[i];
		if (sent->is_over || !sent->is_open || strstr(sent->url, "/api/v1/nodes?") == NULL)
			continue;
		struct buf out = new_buf();
		put_node(&out, "MODIFIED", told, ++rig->version);
		say(sent, &out);
	}
}

/* The oldest unanswered request whose URL has TEXT. */
static struct sent *asked(struct rig *rig, const char *method, const char *text)
{
	for (size_t i = 0; i < rig->count; i++) {
		struct sent *sent = &rig->sent[i];
		if (!sent->is_over && strcmp(sent->method, method) == 0 && strstr(sent->url, text) != NULL)
			return sent;
	}
	return NULL;
}

static size_t count_asked(const struct rig *rig, const char *text)
{
	size_t n = 0;
	for (size_t i = 0; i < rig->count; i++)
		n += !rig->sent[i].is_over && strstr(rig->sent[i].url, text) != NULL;
	return n;
}

static void answer(struct sent *sent, int status, const char *headers, struct str body)
{
	struct http_answer how = { .status = status, .headers = str_of(headers), .body = body };
	if (status == 0)
		how.why = (struct err){ ERR_TIMEOUT, "no answer within 5 s" };
	assert_non_null(sent);
	sent->is_over = true;
	sent->sink.done(sent->sink.ctx, sent->id, &how);
}

static const struct told no_nodes[1];

static void turn(struct rig *rig, int64_t ms)
{
	rig->now.mono.ms += ms;
	rig->now.wall.ms += ms;
	(void)daemon_turn(rig->daemon, rig->now);
	if (!rig->is_deaf)
		serve_watches(rig, rig->again != NULL ? rig->again : no_nodes, rig->again_count);
}

static struct rig *rig_new(const char *conf, const struct told *nodes, size_t count)
{
	static const struct file_port files = { .read = no_file, .env = home_only };
	struct rig *rig = xcalloc(1, sizeof *rig);
	struct conf_problems problems;
	struct err err = { 0 };
	struct log_port *log = xcalloc(1, sizeof *log);
	*log = (struct log_port){ rig, on_log };
	rig->http = (struct http_port){ rig, on_start, on_cancel };
	rig->now = (struct now){ { 5000000 }, { INT64_C(1763826190000) } };
	rig->config = conf_parse(str_of(conf), "test.yaml", &problems);
	if (rig->config == NULL || problems.errors_count > 0)
		fail_msg("%s", problems.list[0].text);
	conf_problems_done(&problems);
	struct daemon_opts opts = { .config = rig->config, .http = &rig->http, .files = &files, .log = log, .seed = 3 };
	(void)TEXT_COPY(opts.lease.identity, "me");
	rig->daemon = daemon_new(&opts, rig->now, &err);
	if (rig->daemon == NULL)
		fail_msg("%s", err.text);
	(void)daemon_turn(rig->daemon, rig->now);
	serve_watches(rig, nodes, count);
	for (int i = 0; i < 3; i++)
		turn(rig, 100);
	return rig;
}

static void rig_free(struct rig *rig)
{
	struct log_port *log = (struct log_port *)(uintptr_t)rig->daemon->opts.log;
	daemon_free(rig->daemon);
	conf_free(rig->config);
	free(log);
	free(rig);
}

/* ---- heartbeats ---------------------------------------------------------------------------------------------------
 */

struct beat {
	const char *node;
	int64_t seconds;
};

static void answer_leases(struct sent *sent, const struct beat *beats, size_t count, const char *token)
{
	struct buf list = new_buf();
	struct buf list_meta = new_buf();
	put_text(&list_meta, 2, "7");
	put_text(&list_meta, 3, token);
	put_message(&list, 1, &list_meta);
	for (size_t i = 0; i < count; i++) {
		struct buf meta = new_buf();
		struct buf spec = new_buf();
		struct buf lease = new_buf();
		put_text(&meta, 1, beats[i].node);
		put_time(&spec, 4, beats[i].seconds);
		put_message(&lease, 1, &meta);
		put_message(&lease, 2, &spec);
		put_message(&list, 2, &lease);
	}
	struct buf page = enveloped("LeaseList", &list);
	answer(sent, 200, PROTOBUF, buf_str(&page));
	buf_done(&page);
}

static const struct told three[] = { { "a", "10.0.0.1" }, { "b", "10.0.0.2" }, { "c", "10.0.0.3" } };
#define LEASES "kube-node-lease/leases"

static void lists_heartbeats(void **state)
{
	(void)state;
	struct rig *rig = rig_new(CHECKS(READY, "{type: NodeLease}"), three, 3);
	const struct heartbeats *beats = &rig->daemon->heartbeats;
	assert_false(beats->is_fresh);
	uint64_t findings = rig->daemon->findings_version;
	int64_t first_ms = rig->now.mono.ms;
	answer_leases(asked(rig, "GET", LEASES "?limit=500"), (struct beat[]){ { "c", 10 }, { "a", 10 } }, 2, "next");
	turn(rig, 200);
	answer_leases(asked(rig, "GET", LEASES "?limit=500&continue=next"), (struct beat[]){ { "b", 10 } }, 1, "");
	turn(rig, 200);
	assert_true(beats->is_fresh && beats->count == 3 && rig->daemon->findings_version == findings + 1);
	assert_string_equal(beats->list[0].node, "a");
	assert_true(beats->list[0].changed.ms == 0 && beats->list[0].renewed == 10000000);
	assert_true(beats->list[0].seen.ms == beats->listed.ms && beats->listed.ms <= first_ms);
	size_t total = 9;
	size_t late = 9;
	struct snapshot snapshot;
	snapshot_take(rig->daemon, &snapshot);
	heartbeats_count(rig->daemon, &snapshot, &total, &late);
	assert_int_equal(total, 0); /* none of them is known to move */
	/* b stands still for a minute, c is gone, d is new. */
	for (int i = 1; i <= 6; i++) {
		assert_null(asked(rig, "GET", LEASES));
		turn(rig, 10 * SEC);
		struct beat again[] = { { "a", 10 + 10 * i }, { "b", i < 2 ? 10 + i : 11 }, { "d", 70 } };
		answer_leases(asked(rig, "GET", LEASES), again, 3, "");
		turn(rig, 0);
	}
	assert_int_equal(beats->count, 3);
	assert_true(beats->list[0].changed.ms == beats->listed.ms);
	assert_true(beats->listed.ms - beats->list[1].changed.ms == 50 * SEC);
	assert_true(beats->list[2].changed.ms == 0 && beats->list[2].seen.ms == beats->list[1].changed.ms);
	snapshot_take(rig->daemon, &snapshot);
	assert_int_equal(snapshot.leases_total, 2);
	assert_int_equal(snapshot.leases_late, 1);
	/* A round that fails changes nothing; after a while what is known is too old. */
	int64_t listed_ms = beats->listed.ms;
	for (int i = 0; i < 6; i++) {
		turn(rig, 10 * SEC);
		assert_true(beats->is_fresh == (rig->now.mono.ms - listed_ms <= 50 * SEC));
		answer(asked(rig, "GET", LEASES), 500, "content-type: text/plain\n", STR("etcd is gone"));
		turn(rig, 0);
	}
	assert_true(beats->listed.ms == listed_ms && beats->count == 3 && !beats->is_fresh);
	assert_int_equal(rig->warnings, 1); /* the same words each time */
	snapshot_take(rig->daemon, &snapshot);
	assert_true(snapshot.leases_total == 0 && snapshot.is_api_troubled);
	assert_string_equal(snapshot.api_trouble, "6 of the last 6 requests failed or took longer than 5 s");
	rig_free(rig);
}

static void starts_over_and_gives_up(void **state)
{
	(void)state;
	struct rig *rig = rig_new(CHECKS(READY, "{type: NodeLease}"), three, 3);
	struct buf expired = status_object(410, "Expired", "The provided continue parameter is too old", 0);
	struct buf forbidden = status_object(403, "Forbidden", "leases is forbidden", 0);
	for (int i = 0; i < 3; i++) { /* twice anew, then it is another round's */
		answer_leases(asked(rig, "GET", LEASES "?limit=500"), (struct beat[]){ { "a", 10 } }, 1, "next");
		turn(rig, 100);
		answer(asked(rig, "GET", "continue=next"), 410, PROTOBUF, buf_str(&expired));
		turn(rig, 100);
	}
	assert_null(asked(rig, "GET", LEASES));
	turn(rig, 10 * SEC);
	answer_leases(asked(rig, "GET", LEASES), NULL, 0, ""); /* an empty list is not the truth */
	turn(rig, 0);
	assert_true(rig->daemon->heartbeats.listed.ms == 0);
	turn(rig, 10 * SEC);
	answer(asked(rig, "GET", LEASES), 403, PROTOBUF, buf_str(&forbidden));
	turn(rig, 0);
	assert_string_equal(rig->daemon->heartbeats_trouble, "leases is forbidden");
	for (int i = 0; i < 29; i++) {
		turn(rig, 20 * SEC);
		assert_null(asked(rig, "GET", LEASES));
	}
	turn(rig, 20 * SEC);
	assert_non_null(asked(rig, "GET", LEASES));
	daemon_stop(rig->daemon, rig->now);
	turn(rig, 0);
	assert_null(asked(rig, "GET", LEASES)); /* torn */
	buf_done(&expired);
	buf_done(&forbidden);
	rig_free(rig);
}

static void needs_no_heartbeats(void **state)
{
	(void)state;
	struct rig *rig = rig_new(CHECKS(READY, READY), three, 3);
	turn(rig, 20 * SEC);
	assert_null(asked(rig, "GET", LEASES));
	/* When somebody is bad it is worth knowing whether the others' heartbeats come. */
	rig->daemon->history.records = xcalloc(1, sizeof *rig->daemon->history.records);
	rig->daemon->history.count = rig->daemon->history.cap = 1;
	rig->daemon->history.records[0].is_bad_now = true;
	heartbeats_turn(rig->daemon);
	assert_non_null(asked(rig, "GET", LEASES));
	rig_free(rig);
}

/* ---- probes -------------------------------------------------------------------------------------------------------
 */

static void probes_in_bounds(void **state)
{
	(void)state;
	static char names[100][2][16];
	static struct told many[100];
	for (int i = 0; i < 100; i++) {
		(void)snprintf(names[i][0], sizeof names[i][0], "n-%03d", i);
		(void)snprintf(names[i][1], sizeof names[i][1], "10.0.1.%d", i);
		many[i] = (struct told){ .name = names[i][0], .address = names[i][1] };
	}
	struct rig *rig = rig_new(CHECKS(READY, "{type: Kubelet}"), many, 100);
	for (int i = 0; i < 30; i++)
		turn(rig, 500);
	assert_int_equal(count_asked(rig, ":10250"), PROBES_AT_ONCE); /* all silent, and no more than that */
	assert_true(probe_due_ms(rig->daemon) > rig->now.mono.ms + SEC);
	answer(asked(rig, "GET", "10.0.1."), 200, "", STR(""));
	turn(rig, 100);
	assert_int_equal(count_asked(rig, ":10250"), PROBES_AT_ONCE); /* the next one */
	uint64_t findings = rig->daemon->findings_version;
	answer(asked(rig, "GET", "10.0.1."), 200, "", STR(""));
	turn(rig, 100);
	assert_true(rig->daemon->findings_version == findings); /* good answers are told together */
	turn(rig, 5 * SEC);
	assert_true(rig->daemon->findings_version == findings + 1);
	answer(asked(rig, "GET", "10.0.1."), 0, "", STR(""));
	turn(rig, 100);
	assert_true(rig->daemon->findings_version == findings + 2); /* a bad one at once */
	daemon_stop(rig->daemon, rig->now);
	turn(rig, 100);
	assert_int_equal(count_asked(rig, ":10250"), 0);
	turn(rig, 60 * SEC);
	assert_int_equal(count_asked(rig, ":10250"), 0);
	assert_true(probe_due_ms(rig->daemon) == NEVER);
	rig_free(rig);
}

static const struct told masters[] = { { "m-0", "10.0.0.1", .is_master = true },
				       { "m-1", "10.0.0.2", .is_master = true },
				       { "m-2", "10.0.0.3", .is_master = true } };
#define STAMP "autohealing.openstack.org/unhealthy-timestamp"

/* Every probe that is out is answered; of the failing node with 500. */
static void answer_probes(struct rig *rig, const char *failing)
{
	struct sent *sent = NULL;
	while ((sent = asked(rig, "GET", ":6443/healthz")) != NULL)
		answer(sent, strstr(sent->url, failing) != NULL ? 500 : 200, "", STR(""));
}

/* The cloud was seen, and healing is on or off there. */
static void see_cluster(struct rig *rig, bool is_healing_enabled)
{
	rig->daemon->cluster->is_known = true;
	rig->daemon->cluster->is_healing_enabled = is_healing_enabled;
}

static struct sent *wait_for_mark(struct rig *rig, const char *failing, int seconds)
{
	for (int i = 0; i < seconds && asked(rig, "PATCH", "/api/v1/nodes/") == NULL; i++) {
		turn(rig, SEC);
		answer_probes(rig, failing);
	}
	return asked(rig, "PATCH", "/api/v1/nodes/");
}

static void marks_failing_probes(void **state)
{
	(void)state;
	struct rig *rig = rig_new(CHECKS(ENDPOINT, READY), masters, 3);
	see_cluster(rig, true);
	struct sent *patch = wait_for_mark(rig, "10.0.0.2:", 30);
	assert_non_null(patch);
	assert_non_null(strstr(patch->url, "/api/v1/nodes/m-1?"));
	assert_non_null(strstr(patch->body, "\"uid\":\"m-1\",\"annotations\":{\"" STAMP "\":\"2025-11-22 15:4"));
	answer(patch, 500, "", STR("")); /* again after a while, and told once */
	assert_null(wait_for_mark(rig, "10.0.0.2:", 29));
	patch = wait_for_mark(rig, "10.0.0.2:", 3);
	assert_non_null(patch);
	answer(patch, 500, "", STR(""));
	assert_non_null(wait_for_mark(rig, "10.0.0.2:", 33));
	assert_int_equal(rig->warnings, 1);
	answer(asked(rig, "PATCH", ""), 200, "content-type: application/json\n", STR("{}"));
	tell_node(rig,
		  &(struct told){ "m-1", "10.0.0.2", .key = STAMP, .value = "2025-11-22 15:43:20", .is_master = true });
	assert_null(wait_for_mark(rig, "10.0.0.2:", 20)); /* the Node shows it */
	patch = wait_for_mark(rig, "nobody", 30);         /* it is well again */
	assert_non_null(patch);
	assert_non_null(strstr(patch->body, "{\"" STAMP "\":null}"));
	answer(patch, 404, "", STR(""));
	tell_node(rig, &masters[1]);
	assert_null(wait_for_mark(rig, "nobody", 20));
	rig_free(rig);
}

static void leaves_marks_alone(void **state)
{
	(void)state;
	struct rig *rig = rig_new("dry-run: true\n" CHECKS(ENDPOINT, READY), masters, 3);
	see_cluster(rig, true);
	assert_null(wait_for_mark(rig, "10.0.0.2:", 40));
	rig_free(rig);
	struct told paused[3];
	memcpy(paused, masters, sizeof paused);
	paused[1].key = ANNOTATION_PAUSED;
	paused[1].value = "cabling";
	rig = rig_new(CHECKS(ENDPOINT, READY), paused, 3);
	see_cluster(rig, true);
	assert_null(wait_for_mark(rig, "10.0.0.2:", 40));
	assert_true(probe_due_ms(rig->daemon) > rig->now.mono.ms); /* and does not spin over it */
	tell_node(rig, &masters[1]);
	assert_non_null(wait_for_mark(rig, "10.0.0.2:", 40));
	rig_free(rig);
}

/* Healing is off, or it is not known whether: nothing is written on Nodes, and nothing spins over it. */
static void marks_nothing_while_healing_is_off(void **state)
{
	(void)state;
	struct rig *rig = rig_new(CHECKS(ENDPOINT, READY), masters, 3);
	for (int is_known = 0; is_known < 2; is_known++) {
		assert_null(wait_for_mark(rig, "10.0.0.2:", 40));
		assert_true(probe_due_ms(rig->daemon) > rig->now.mono.ms);
		see_cluster(rig, false);
	}
	see_cluster(rig, true);
	assert_non_null(wait_for_mark(rig, "10.0.0.2:", 40));
	rig_free(rig);
}

/* ---- the view of a quiet cluster ----------------------------------------------------------------------------------
 */

static const struct told quiet[] = { { "n-0", "10.0.0.1" }, { "n-1", "10.0.0.2" } };

/* Nobody is bad, so nothing is judged; the gap is noticed all the same, and the kubelets get their minute. */
static void a_gap_of_a_quiet_cluster_is_noticed(void **state)
{
	(void)state;
	static const struct {
		int blind_s;
		bool settles;
	} cases[] = { { 0, false }, { 150, false }, { 5 * 60, true } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rig *rig = rig_new(CHECKS(READY, READY), quiet, 2);
		struct history *history = &rig->daemon->history;
		rig->again = quiet;
		rig->again_count = COUNT(quiet);
		turn(rig, SEC);
		assert_int_equal(history->count, 0);
		assert_int_equal(history->observed.ms, rig->now.mono.ms);
		rig->is_deaf = true;
		for (int s = 0; s < cases[i].blind_s; s++)
			turn(rig, SEC);
		bool is_seen = reflector_is_fresh(rig->daemon->reflector, rig->now);
		assert_true(is_seen == (cases[i].blind_s == 0));
		rig->is_deaf = false;
		for (int s = 0; s < 200 && !(s > 0 && reflector_is_fresh(rig->daemon->reflector, rig->now)); s++)
			turn(rig, SEC);
		assert_true(reflector_is_fresh(rig->daemon->reflector, rig->now));
		turn(rig, 0);
		assert_false(history->is_blind);
		int64_t left_ms = history->settles.ms - rig->now.mono.ms;
		if (cases[i].settles ? left_ms <= 55 * SEC || left_ms > 60 * SEC : history->settles.ms != 0)
			fail_msg("blind for %d s: %lld ms", cases[i].blind_s, (long long)left_ms);
		rig_free(rig);
	}
}

/* ---- events -------------------------------------------------------------------------------------------------------
 */

/* In a storm of holds what was done is still told; the one that is on its way stays where it is. */
static void a_full_queue_drops_holds_first(void **state)
{
	(void)state;
	for (int is_asked = 0; is_asked < 2; is_asked++) {
		struct rig *rig = rig_new(CHECKS(READY, READY), quiet, 2);
		struct daemon *daemon = rig->daemon;
		daemon->events_count = 0;
		daemon->events_first = EVENTS_QUEUE_MAX - 3; /* the ring turns over */
		daemon->event_call = is_asked ? 77 : 0;
		event_tell(daemon, "n-0", "u", true, "RepairHeld", "None", "the first");
		event_tell(daemon, "n-0", "u", false, "RepairStarted", "Reboot", "done");
		for (int i = 2; i < EVENTS_QUEUE_MAX; i++)
			event_tell(daemon, "n-0", "u", true, "RepairHeld", "None", "held %d", i);
		assert_int_equal(daemon->events_count, EVENTS_QUEUE_MAX);
		for (int i = 0; i < EVENTS_QUEUE_MAX + 5; i++)
			event_tell(daemon, "n-1", "u", false, "RepairSucceeded", "Reboot", "new %d", i);
		assert_int_equal(daemon->events_count, EVENTS_QUEUE_MAX);
		assert_int_equal(daemon->events_dropped, EVENTS_QUEUE_MAX + 5);
		int held = 0;
		int last = -1;
		for (size_t i = 0; i < daemon->events_count; i++) {
			const struct queued_event *event =
				&daemon->events[(daemon->events_first + i) % EVENTS_QUEUE_MAX];
			int number = 0;
			held += strcmp(event->reason, "RepairHeld") == 0;
			if (sscanf(event->note, "new %d", &number) == 1) {
				assert_true(number > last); /* in their order */
				last = number;
			}
		}
		assert_int_equal(last, EVENTS_QUEUE_MAX + 4);
		assert_int_equal(held, is_asked); /* only the one that has left */
		if (is_asked)
			assert_string_equal(daemon->events[daemon->events_first].note, "the first");
		daemon->event_call = 0;
		rig_free(rig);
	}
}

/* ---- phantoms -----------------------------------------------------------------------------------------------------
 */

#define ID(n) "00000000-0000-4000-8000-00000000000" #n

static void put_machine(struct daemon *daemon, const char *id, const char *name, const char *status,
			const char *address)
{
	daemon->machines = xrealloc(daemon->machines, (daemon->machines_count + 1) * sizeof *daemon->machines);
	struct machine *machine = &daemon->machines[daemon->machines_count++];
	*machine = (struct machine){ .created = { 77 } };
	(void)TEXT_COPY(machine->id, id);
	(void)TEXT_COPY(machine->name, name);
	(void)TEXT_COPY(machine->status, status);
	(void)TEXT_COPY(machine->addresses[0], address);
}

static const char *names_of(const struct snapshot *snapshot, char *out, size_t bytes)
{
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < snapshot->nodes_count; i++)
		n += (size_t)snprintf(out + n, bytes - n, "%s%s ", snapshot->nodes[i]->name,
				      snapshot->nodes[i]->is_phantom ? "?" : "");
	return out;
}

static void put_machines(struct daemon *daemon)
{
	put_machine(daemon, ID(0), "k8s-x-node-0", "ACTIVE", "10.0.0.10");
	put_machine(daemon, ID(1), "k8s-x-node-1", "ACTIVE", "10.0.0.11"); /* its address is a Node's */
	put_machine(daemon, ID(2), "K8S-x-node-2", "ACTIVE", "10.0.0.12"); /* not of the stack by its case */
	put_machine(daemon, ID(3), "k8s-x-node-3", "ACTIVE", "10.0.0.99"); /* its id is a Node's */
	put_machine(daemon, ID(4), "k8s-x-node-4", "ACTIVE", "10.0.0.14"); /* a phantom */
	put_machine(daemon, ID(5), "k8s-x-master-5", "ACTIVE", "10.0.0.15");
	put_machine(daemon, ID(6), "k8s-x-node-6", "DELETED", "10.0.0.16");
	put_machine(daemon, ID(7), "k8s-x-minion-7", "ERROR", "");         /* a phantom without an address */
	put_machine(daemon, ID(8), "k8s-x-node-2", "ACTIVE", "10.0.0.18"); /* a Node has its name, with a domain */
	put_machine(daemon, ID(9), "k8s-x-node-9a", "ACTIVE", "10.0.0.19");
	put_machine(daemon, "00000000-0000-4000-8000-0000000000a0", "k8s-xy-node-1", "ACTIVE", "10.0.0.20");
	put_machine(daemon, "00000000-0000-4000-8000-0000000000a1", "k8s-x-node-8", "ACTIVE", "10.0.0.21");
	put_machine(daemon, "00000000-0000-4000-8000-0000000000a2", "k8s-x-node-8", "ACTIVE", "10.0.0.22"); /* twins */
}

static void finds_phantoms(void **state)
{
	(void)state;
	static const struct told nodes[] = {
		{ "k8s-x-node-0", "10.0.0.10", "openstack:///" ID(0) },
		{ "renamed", "10.0.0.11" },
		{ "k8s-x-node-2.novalocal", "10.9.9.9" },
		{ "other", "10.0.0.13", "openstack:///" ID(3) },
	};
	struct rig *rig = rig_new(CHECKS(READY, READY ", {type: NeverJoined}"), nodes, 4);
	struct daemon *daemon = rig->daemon;
	struct snapshot snapshot;
	char names[400];
	put_machines(daemon);
	snapshot_take(daemon, &snapshot);
	assert_int_equal(snapshot.nodes_count, 4); /* the cloud has not been seen */
	daemon->cluster->is_known = true;
	daemon->cluster->at = rig->now.mono;
	snapshot_take(daemon, &snapshot);
	assert_int_equal(snapshot.nodes_count, 4); /* the stack is not known */
	(void)TEXT_COPY(daemon->cluster->stack_name, "k8s-x");
	daemon->cluster->at.ms++;
	snapshot_take(daemon, &snapshot);
	assert_string_equal(
		names_of(&snapshot, names, sizeof names),
		"k8s-x-minion-7? k8s-x-node-0 k8s-x-node-2.novalocal k8s-x-node-4? k8s-x-node-8? other renamed ");
	const struct node *phantom = snapshot_node(&snapshot, "k8s-x-node-4");
	assert_string_equal(phantom->uid, ID(4));
	assert_string_equal(phantom->provider_id, "openstack:///" ID(4));
	assert_string_equal(phantom->internal_ip, "10.0.0.14");
	assert_true(phantom->created.ms == 77 && phantom->role == ROLE_WORKER && phantom->conditions_count == 0);
	assert_ptr_equal(match_node(&snapshot, phantom).machine, &daemon->machines[4]);
	/* Which of the twins is meant, nobody knows: it is shown, and names neither. */
	const struct node *twin = snapshot_node(&snapshot, "k8s-x-node-8");
	assert_string_equal(twin->uid, "k8s-x-node-8");
	struct match match = match_node(&snapshot, twin);
	assert_true(match.machine == NULL && match.missing[0] == '\0');
	/* The cloud does not answer for a while: a case must not end because of that. */
	daemon->cluster->at.ms -= 10 * MINUTE;
	snapshot_take(daemon, &snapshot);
	assert_int_equal(snapshot.nodes_count, 7);
	assert_false(snapshot.is_cloud_fresh);
	/* It joins. */
	tell_node(rig, &(struct told){ "k8s-x-node-4", "10.0.0.14" });
	snapshot_take(daemon, &snapshot);
	assert_string_equal(
		names_of(&snapshot, names, sizeof names),
		"k8s-x-minion-7? k8s-x-node-0 k8s-x-node-2.novalocal k8s-x-node-4 k8s-x-node-8? other renamed ");
	daemon->cluster->at = rig->now.mono;
	snapshot_take(daemon, &snapshot);
	assert_int_equal(daemon->phantoms_count, 2);
	daemon->lease.is_leader = false;
	snapshot_take(daemon, &snapshot);
	assert_int_equal(snapshot.nodes_count, 5);
	rig_free(rig);
}

static void bounds_phantoms(void **state)
{
	(void)state;
	struct rig *rig = rig_new(CHECKS(READY, "{type: NeverJoined}"), three, 3);
	struct daemon *daemon = rig->daemon;
	struct snapshot snapshot;
	for (int i = 0; i < 200; i++) {
		char id[SERVER_ID_BYTES];
		char name[64];
		(void)snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", i);
		(void)snprintf(name, sizeof name, "k8s-x-node-%d", i);
		put_machine(daemon, id, name, "ACTIVE", "");
	}
	(void)TEXT_COPY(daemon->cluster->stack_name, "k8s-x");
	daemon->cluster->is_known = true;
	daemon->cluster->at = rig->now.mono;
	snapshot_take(daemon, &snapshot);
	assert_int_equal(snapshot.nodes_count, 3 + 64);
	for (size_t i = 1; i < snapshot.nodes_count; i++)
		assert_true(strcmp(snapshot.nodes[i - 1]->name, snapshot.nodes[i]->name) < 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_heartbeats),
		cmocka_unit_test(starts_over_and_gives_up),
		cmocka_unit_test(needs_no_heartbeats),
		cmocka_unit_test(probes_in_bounds),
		cmocka_unit_test(marks_failing_probes),
		cmocka_unit_test(leaves_marks_alone),
		cmocka_unit_test(finds_phantoms),
		cmocka_unit_test(bounds_phantoms),
		cmocka_unit_test(marks_nothing_while_healing_is_off),
		cmocka_unit_test(a_gap_of_a_quiet_cluster_is_noticed),
		cmocka_unit_test(a_full_queue_drops_holds_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
