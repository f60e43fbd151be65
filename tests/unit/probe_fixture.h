/* Nodes to be probed, a configuration made by hand, and a world that answers as a test wants, in virtual time. */
#ifndef MAH_TESTS_PROBE_FIXTURE_H
#define MAH_TESTS_PROBE_FIXTURE_H

#include "check_fixture.h"

#define MANY 2000

struct world {
	struct arena arena;
	struct config config;
	struct conf_check checks[ROLES_COUNT][4];
	struct probes *probes;
	struct now now;
	char names[MANY][24], uids[MANY][24], ips[MANY][24];
	struct condition ready[MANY];
	struct annotation annotations[MANY];
	struct node nodes[MANY];
	const struct node *list[MANY];
	size_t count;
	size_t asked[MANY];      /* requests by node */
	struct mono first[MANY]; /* when it was first asked */
};

static char ep_https[] UNUSED = "https", ep_http[] UNUSED = "http",
		       ep_note[] UNUSED = ANNOTATION_PREFIX "unhealthy-timestamp";

static UNUSED struct conf_check endpoint_conf(void)
{
	return (struct conf_check){ .type = "Endpoint",
				    .protocol = ep_https,
				    .port = 6443,
				    .timeout_ms = 5 * SEC,
				    .unhealthy_annotation = ep_note };
}

static struct world *world_new(const struct conf_check *masters, size_t masters_count, const struct conf_check *workers,
			       size_t workers_count)
{
	struct world *w = xcalloc(1, sizeof *w);
	arena_init(&w->arena);
	w->now = (struct now){ .mono = { LAB_MONO }, .wall = { LAB_WALL } };
	w->config.policy.monitor_interval_ms = 30 * SEC;
	for (size_t i = 0; i < masters_count; i++)
		w->checks[ROLE_MASTER][i] = masters[i];
	for (size_t i = 0; i < workers_count; i++)
		w->checks[ROLE_WORKER][i] = workers[i];
	w->config.checks[ROLE_MASTER] = w->checks[ROLE_MASTER];
	w->config.checks[ROLE_WORKER] = w->checks[ROLE_WORKER];
	w->config.checks_count[ROLE_MASTER] = masters_count;
	w->config.checks_count[ROLE_WORKER] = workers_count;
	return w;
}

static void world_free(struct world *w)
{
	probes_free(w->probes);
	arena_done(&w->arena);
	free(w);
}

/* Nodes 0 .. count-1 of that role, Ready, at 10.0.X.Y. */
static void add_nodes(struct world *w, enum role role, size_t count)
{
	for (size_t i = w->count, end = w->count + count; i < end; i++) {
		(void)snprintf(w->names[i], sizeof w->names[i], "node-%05zu", i);
		(void)snprintf(w->uids[i], sizeof w->uids[i], "uid-%zu", i);
		(void)snprintf(w->ips[i], sizeof w->ips[i], "10.0.%zu.%zu", i / 250, i % 250 + 1);
		w->ready[i] = (struct condition){ .type = "Ready", .reason = "KubeletReady", .status = STATUS_TRUE };
		w->nodes[i] = (struct node){ .name = w->names[i],
					     .uid = w->uids[i],
					     .internal_ip = w->ips[i],
					     .role = role,
					     .created = { LAB_WALL - 24 * HOUR },
					     .conditions = &w->ready[i],
					     .conditions_count = 1,
					     .annotations = &w->annotations[i] };
		w->list[i] = &w->nodes[i];
	}
	w->count += count;
}

static void show_nodes(struct world *w)
{
	if (w->probes == NULL)
		w->probes = probes_new(&w->config);
	probes_nodes(w->probes, w->list, w->count, w->now.mono);
}

static UNUSED void annotate(struct world *w, size_t i, const char *key, const char *value)
{
	w->annotations[i] = (struct annotation){ key, value };
	w->nodes[i].annotations_count = value != NULL;
	show_nodes(w);
}

static void pass(struct world *w, int64_t ms)
{
	w->now.mono.ms += ms;
	w->now.wall.ms += ms;
}

static UNUSED bool next(struct world *w, struct http_request *out, uint64_t *ticket)
{
	return probes_next(w->probes, w->now.mono, NULL, NULL, &w->arena, out, ticket);
}

/* Which node does that URL speak of? */
static UNUSED size_t whose(const struct world *w, const char *url)
{
	const char *host = strstr(url, "://");
	assert_non_null(host);
	host += 3;
	for (size_t i = 0; i < w->count; i++) {
		size_t n = strlen(w->ips[i]);
		if (strncmp(host, w->ips[i], n) == 0 && host[n] == ':')
			return i;
	}
	fail_msg("nobody has the address of %s", url);
	return 0;
}

static UNUSED struct http_answer with_status(int status)
{
	return (struct http_answer){ .status = status, .headers = STR(""), .body = STR("") };
}

static UNUSED struct http_answer with_error(enum err_code code)
{
	struct http_answer answer = { .status = 0 };
	(void)fail(&answer.why, code, "10.0.0.1:6443: what libcurl says");
	return answer;
}

/* How nodes answer: fills *out; returns how long it takes. */
typedef int64_t (*answerer)(struct world *, size_t node, const struct http_request *, struct http_answer *out);

struct under_way {
	uint64_t ticket;
	int64_t at_ms;
	struct http_answer answer;
};

static void hear_due(struct world *w, struct under_way list[PROBES_AT_ONCE])
{
	for (size_t i = 0; i < PROBES_AT_ONCE; i++) {
		if (list[i].ticket != 0 && list[i].at_ms <= w->now.mono.ms) {
			probes_heard(w->probes, list[i].ticket, &list[i].answer, w->now);
			list[i].ticket = 0;
		}
	}
}

static void ask_due(struct world *w, answerer answers, struct under_way list[PROBES_AT_ONCE])
{
	struct http_request request;
	uint64_t ticket;
	while (next(w, &request, &ticket)) {
		size_t i = 0;
		while (i < PROBES_AT_ONCE && list[i].ticket != 0)
			i++;
		assert_true(i < PROBES_AT_ONCE); /* never more than that at once */
		size_t node = whose(w, request.url);
		list[i] = (struct under_way){ .ticket = ticket };
		list[i].at_ms = w->now.mono.ms + answers(w, node, &request, &list[i].answer);
		if (w->asked[node]++ == 0)
			w->first[node] = w->now.mono;
	}
	arena_reset(&w->arena);
}

/* Lives for that long, in steps as the probes want them. What is under way at the end is answered at once. */
static UNUSED void live(struct world *w, int64_t for_ms, answerer answers)
{
	struct under_way list[PROBES_AT_ONCE] = { 0 };
	int64_t end_ms = w->now.mono.ms + for_ms;
	while (w->now.mono.ms < end_ms) {
		ask_due(w, answers, list);
		int64_t at_ms = probes_due(w->probes).ms;
		for (size_t i = 0; i < PROBES_AT_ONCE; i++) {
			if (list[i].ticket != 0 && list[i].at_ms < at_ms)
				at_ms = list[i].at_ms;
		}
		at_ms = at_ms > end_ms ? end_ms : at_ms;
		pass(w, at_ms > w->now.mono.ms ? at_ms - w->now.mono.ms : 1);
		hear_due(w, list);
	}
	for (size_t i = 0; i < PROBES_AT_ONCE; i++)
		list[i].at_ms = 0;
	hear_due(w, list);
}

static UNUSED int64_t all_well(struct world *w, size_t node, const struct http_request *request,
			       struct http_answer *out)
{
	(void)w;
	(void)node;
	(void)request;
	*out = with_status(200);
	return 20;
}

static UNUSED int64_t all_silent(struct world *w, size_t node, const struct http_request *request,
				 struct http_answer *out)
{
	(void)w;
	(void)node;
	*out = with_error(ERR_TIMEOUT);
	return request->timeout_ms;
}

static UNUSED struct finding finding_of(struct world *w, size_t node)
{
	struct finding finding;
	enum health health = probes_finding(w->probes, 0, &w->nodes[node], w->now, &finding);
	assert_int_equal(health, finding.health);
	assert_int_equal(probes_finding(w->probes, 0, &w->nodes[node], w->now, NULL), health);
	return finding;
}

#endif
