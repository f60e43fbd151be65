/* Asking, and what came of it.
 *
 *   WAITING (in the heap) ──due, a flight is free──▶ UNDER WAY ──bad──▶ WAITING for a few seconds
 *        ▲                                              │ │ └─well, and it has another path──▶ WAITING, due at once
 *        └────────────── until its own time ◀───────────┘ └─never sent, or no answer came for too long──▶ WAITING
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "check/probe_int.h"

#define INTERVAL_MS_DEFAULT (30 * SEC)
#define TIMEOUT_MS_DEFAULT (5 * SEC)
#define AGAIN_MS (5 * SEC)     /* a bad one is asked again */
#define UNSENT_MS (1 * SEC)    /* a request that could not leave is tried again */
#define LOST_MS (30 * SEC)     /* beyond its deadline: the answer was lost on its way to us */
#define STALE_INTERVALS 3      /* older results say nothing */
#define MARKS_LOOKED_AT 64     /* candidates for a mark looked at in one call */
#define WITNESSES_LOOKED_AT 16 /* nodes looked at for one that may answer */
#define PATHS_MAX UINT8_MAX    /* more than conf lets through */
#define CUT_OFF_TARGETS_MIN 2  /* of fewer nodes no majority can be told */

static int64_t timeout_of(const struct conf_check *conf)
{
	return conf->timeout_ms > 0 ? conf->timeout_ms : TIMEOUT_MS_DEFAULT;
}

/* ---- making ---- */

static void kind_init(struct kind *kind, const struct conf_check *conf, const struct check_ops *ops, size_t check,
		      int64_t interval_ms)
{
	size_t paths = conf->endpoints_count > 0 ? conf->endpoints_count : 1;
	assert(paths <= PATHS_MAX); /* conf refuses more */
	*kind = (struct kind){ .conf = conf, .ops = ops, .check = check, .paths_count = ops->has_paths ? paths : 1 };
	kind->stale_ms = STALE_INTERVALS * interval_ms + timeout_of(conf) * (int64_t)kind->paths_count;
	kind->tls = (struct tls_opts){
		.ca_file = xstrdup(conf->ca_file),
		.server_name = conf->ca_file != NULL ? xstrdup(conf->server_name) : NULL,
		.is_insecure = conf->ca_file == NULL,
	};
	TAILQ_INIT(&kind->heard);
}

struct probes *probes_new(const struct config *config)
{
	struct probes *probes = xcalloc(1, sizeof *probes);
	int64_t interval_ms = config->policy.monitor_interval_ms;
	probes->config = config;
	probes->interval_ms = interval_ms > 0 ? interval_ms : INTERVAL_MS_DEFAULT;
	for (int role = 0; role < ROLES_COUNT; role++) {
		for (size_t i = 0; i < config->checks_count[role]; i++) {
			const struct conf_check *conf = &config->checks[role][i];
			const struct check_ops *ops = check_find(conf->type);
			assert(ops != NULL); /* conf refuses unknown types */
			if (ops->ask != NULL)
				kind_init(&probes->kinds[role][probes->kinds_count[role]++], conf, ops, i,
					  probes->interval_ms);
		}
	}
	return probes;
}

void probes_free(struct probes *probes)
{
	if (probes == NULL)
		return;
	targets_free(probes);
	for (int role = 0; role < ROLES_COUNT; role++) {
		for (size_t i = 0; i < probes->kinds_count[role]; i++) {
			struct tls_opts *tls = &probes->kinds[role][i].tls;
			free(tls->ca_file);
			free(tls->server_name);
		}
	}
	free(probes);
}

bool probes_is_idle(const struct probes *probes)
{
	return probes->kinds_count[ROLE_MASTER] + probes->kinds_count[ROLE_WORKER] == 0;
}

/* ---- results ---- */

static struct trouble *trouble_of(struct probe *probe)
{
	if (probe->trouble == NULL)
		probe->trouble = xcalloc(1, sizeof *probe->trouble);
	return probe->trouble;
}

/* A time of ours that is never "unset". */
static int64_t stamp(struct mono now)
{
	return now.ms != 0 ? now.ms : 1;
}

static void note_trouble(struct probe *probe, const struct kind *kind, const struct finding *finding, struct mono now)
{
	if (finding->health == HEALTH_OK) {
		free(steal(probe->trouble));
		probe->ok_ms = stamp(now);
		return;
	}
	struct trouble *trouble = trouble_of(probe);
	(void)TEXT_COPY(trouble->why, finding->why); /* the same size */
	if (finding->health != HEALTH_BAD)
		return; /* unknown is neither bad nor an interruption */
	/* Nothing was heard of it for so long that nobody knows what was between. */
	if (trouble->since_ms == 0 || now.ms - trouble->bad_ms > kind->stale_ms)
		trouble->since_ms = stamp(now);
	trouble->bad_ms = stamp(now);
	if (finding->symptom != SYMPTOM_GUEST_SILENT)
		trouble->silent_ms = 0;
	else if (trouble->silent_ms == 0)
		trouble->silent_ms = stamp(now);
}

/* A node has fallen silent: is it the node, or are we cut off? Another one, that answered the last time, is asked now,
 * and need not wait for its turn. */
static void call_witness(struct probes *probes, const struct probe *silent, struct mono now)
{
	struct kind *kind = kind_of(probes, silent);
	struct probe *probe = NULL;
	int looked_at = 0;
	if (silent->trouble->silent_ms <= kind->answered_ms)
		return; /* somebody has answered since */
	TAILQ_FOREACH(probe, &kind->heard, link) {
		if (looked_at++ == WITNESSES_LOOKED_AT)
			return;
		if (probe == silent || probe_is_silent(probe) || probe->heap_at == HEAP_NONE || probe->due_ms <= now.ms)
			continue;
		heap_remove(probes, probe);
		heap_push(probes, probe, now.ms);
		return;
	}
}

/* The end of one round of questions to it: what was found, and when it is asked again. */
static void settle(struct probes *probes, struct probe *probe, const struct finding *finding, struct mono now)
{
	tally_out(probes, probe);
	note_trouble(probe, kind_of(probes, probe), finding, now);
	probe->path = 0;
	probe->heard_ms = stamp(now);
	probe->health = finding->health & 3;
	probe->symptom = finding->symptom & 3;
	tally_in(probes, probe);
	mark_consider(probes, probe);
	int64_t again_ms = probes->interval_ms < AGAIN_MS ? probes->interval_ms : AGAIN_MS;
	heap_push(probes, probe, finding->health == HEALTH_BAD ? now.ms + again_ms : probe_turn_ms(probes, probe, now));
	if (probe_is_silent(probe))
		call_witness(probes, probe, now);
}

/* ---- asking ---- */

static const char *address_text(const struct target *target, struct arena *arena)
{
	char text[INET6_ADDRSTRLEN];
	const char *ok = inet_ntop(target->is_ipv6 ? AF_INET6 : AF_INET, target->address, text, sizeof text);
	assert(ok != NULL); /* it has room */
	return arena_printf(arena, target->is_ipv6 ? "[%s]" : "%s", text);
}

static bool ask(struct probes *probes, struct probe *probe, const char *token, struct arena *arena,
		struct http_request *out, struct finding *finding)
{
	struct kind *kind = kind_of(probes, probe);
	struct probe_ask how = {
		.address = address_text(target_of(probe), arena), .tls = &kind->tls, .token = token, .path = probe->path
	};
	*finding = (struct finding){ .health = HEALTH_UNKNOWN };
	if (!kind->ops->ask(kind->conf, &how, arena, out, finding))
		return false;
	out->timeout_ms = timeout_of(kind->conf);
	return true;
}

static void forget_lost(struct probes *probes, struct mono now)
{
	for (size_t i = 0; i < PROBES_AT_ONCE; i++) {
		struct flight *flight = &probes->flights[i];
		if (flight->ticket == 0 || now.ms < flight->lost_ms)
			continue;
		if (flight->probe != NULL)
			heap_push(probes, flight->probe, now.ms);
		*flight = (struct flight){ 0 };
	}
}

static struct flight *flight_find(struct probes *probes, uint64_t ticket)
{
	for (size_t i = 0; i < PROBES_AT_ONCE; i++) {
		if (probes->flights[i].ticket == ticket)
			return &probes->flights[i];
	}
	return NULL;
}

/* The first that waits, of those lanes that have room; NULL: there is no room, or nobody waits. */
static struct probe *first_waiting(const struct probes *probes)
{
	size_t flying = 0;
	size_t silent = 0;
	for (size_t i = 0; i < PROBES_AT_ONCE; i++) {
		flying += probes->flights[i].ticket != 0;
		silent += probes->flights[i].ticket != 0 && probes->flights[i].lane == LANE_SILENT;
	}
	struct probe *first = NULL;
	for (int lane = 0; lane < LANES_COUNT; lane++) {
		const struct heap *heap = &probes->lanes[lane];
		bool has_room = flying < PROBES_AT_ONCE && (lane != LANE_SILENT || silent < SILENT_AT_ONCE);
		if (has_room && heap->count > 0 && (first == NULL || heap->list[0]->due_ms < first->due_ms))
			first = heap->list[0];
	}
	return first;
}

bool probes_next(struct probes *probes, struct mono now, const char *(*token)(void *ctx), void *token_ctx,
		 struct arena *arena, struct http_request *out, uint64_t *out_ticket)
{
	struct probe *probe = NULL;
	forget_lost(probes, now);
	tally_forget_stale(probes, now);
	while ((probe = first_waiting(probes)) != NULL && probe->due_ms <= now.ms) {
		struct finding finding;
		bool wants_token = kind_of(probes, probe)->conf->is_token_required;
		heap_remove(probes, probe);
		if (!ask(probes, probe, wants_token && token != NULL ? token(token_ctx) : NULL, arena, out, &finding)) {
			settle(probes, probe, &finding, now);
			continue;
		}
		*out_ticket = ++probes->last_ticket;
		*flight_find(probes, 0) = (struct flight){ .ticket = *out_ticket,
							   .lane = probe->lane,
							   .probe = probe,
							   .lost_ms = now.ms + out->timeout_ms + LOST_MS };
		return true;
	}
	return false;
}

/* Frees the flight. NULL: nobody waits for it. */
static struct probe *land(struct probes *probes, uint64_t ticket)
{
	struct flight *flight = ticket != 0 ? flight_find(probes, ticket) : NULL;
	if (flight == NULL)
		return NULL;
	struct probe *probe = flight->probe;
	*flight = (struct flight){ 0 };
	return probe;
}

void probes_heard(struct probes *probes, uint64_t ticket, const struct http_answer *answer, struct now now)
{
	struct probe *probe = land(probes, ticket);
	if (probe == NULL)
		return;
	struct finding finding = { 0 };
	struct kind *kind = kind_of(probes, probe);
	kind->ops->hear(kind->conf, probe->path, answer, &finding);
	if (answer->status != 0 || answer->why.code == ERR_AUTH || finding.symptom == SYMPTOM_GUEST_ANSWERS)
		kind->answered_ms = stamp(now.mono);
	if (finding.health == HEALTH_OK && (size_t)probe->path + 1 < kind->paths_count) {
		probe->path++;
		heap_push(probes, probe, now.mono.ms);
		return;
	}
	settle(probes, probe, &finding, now.mono);
}

void probes_unsent(struct probes *probes, uint64_t ticket, struct mono now)
{
	struct probe *probe = land(probes, ticket);
	if (probe != NULL)
		heap_push(probes, probe, now.ms + UNSENT_MS);
}

struct mono probes_due(const struct probes *probes)
{
	const struct probe *first = first_waiting(probes);
	struct mono due = { first != NULL ? first->due_ms : NEVER };
	for (size_t i = 0; i < PROBES_AT_ONCE; i++) {
		const struct flight *flight = &probes->flights[i];
		if (flight->ticket != 0 && flight->lost_ms < due.ms)
			due.ms = flight->lost_ms;
	}
	return due;
}

/* ---- findings ---- */

static const struct probe *probe_of(const struct probes *probes, size_t check, const struct node *node)
{
	if (probes->kinds_count[node->role] == 0 || node->internal_ip[0] == '\0')
		return NULL;
	const struct target *target = targets_find(probes, node_key(node));
	for (size_t i = 0; target != NULL && i < probes->kinds_count[node->role]; i++) {
		if (probes->kinds[node->role][i].check == check)
			return &target->probes[i];
	}
	return NULL;
}

/* Why the node's silence may be ours: most of what is asked is silent, and well in the eyes of the API server; or the
 * API server calls this one well, and of all the others nobody has answered since. NULL: it is the node's own. */
static const char *isolated(const struct kind *kind, const struct probe *probe)
{
	if (!probe_is_silent(probe))
		return NULL;
	if (kind->heard_count >= CUT_OFF_TARGETS_MIN && 2 * kind->cut_off_count > kind->heard_count)
		return "most nodes cannot be reached from here, although their kubelets report: this replica may be "
		       "cut off";
	if (target_of(probe)->is_reporting && kind->targets_count < CUT_OFF_TARGETS_MIN)
		return "it is silent although its kubelet reports, and there is no other node to compare it with";
	if (target_of(probe)->is_reporting && kind->answered_ms < probe->trouble->silent_ms)
		return "it is silent although its kubelet reports, and no other node has answered since: this replica "
		       "may be "
		       "cut off";
	return NULL;
}

/* Since when it is bad: by our own watch, or since before, when the Node's annotation says so and nothing that we saw
 * contradicts it. */
static struct wall bad_since(const struct kind *kind, const struct probe *probe, const struct node *node,
			     struct now now)
{
	assert(probe->trouble != NULL); /* it is bad */
	struct wall since = { now.wall.ms - (now.mono.ms - probe->trouble->since_ms) };
	const char *key = kind->conf->unhealthy_annotation;
	struct wall marked;
	if (probe->ok_ms != 0 || key == NULL || !mark_parse(node_annotation(node, key), &marked))
		return since;
	bool is_earlier = marked.ms < since.ms && marked.ms >= node->created.ms;
	return is_earlier ? marked : since;
}

enum health probes_finding(const struct probes *probes, size_t check, const struct node *node, struct now now,
			   struct finding *out)
{
	struct finding finding = { .health = HEALTH_UNKNOWN };
	const struct probe *probe = probe_of(probes, check, node);
	const struct kind *kind = probe != NULL ? &probes->kinds[node->role][probe->slot] : NULL;
	if (probe == NULL && node->internal_ip[0] == '\0') {
		(void)TEXT_COPY(finding.why, "the node has no InternalIP to be probed at"); /* it fits, as all below */
	} else if (probe == NULL || probe->heard_ms == 0) {
		(void)TEXT_COPY(finding.why, "not probed yet");
	} else if (now.mono.ms - probe->heard_ms > kind->stale_ms) {
		(void)TEXT_COPY(finding.why, "the last probe is too long ago");
	} else if (isolated(kind, probe) != NULL) {
		(void)TEXT_COPY(finding.why, isolated(kind, probe));
	} else {
		finding.health = (enum health)probe->health;
		finding.symptom = (enum symptom)probe->symptom;
		if (probe->trouble != NULL)
			(void)TEXT_COPY(finding.why, probe->trouble->why);
		if (finding.health == HEALTH_BAD)
			finding.since = bad_since(kind, probe, node, now);
	}
	if (out != NULL)
		*out = finding;
	return finding.health;
}

/* ---- marks ---- */

static bool is_node_of(const struct target *target, const struct node *node)
{
	struct node_key key = node_key(node);
	return key.a == target->key.a && key.b == target->key.b;
}

/* Where the target's node is in the list: where it was last; or the list is another one, and all are looked up anew,
 * once a call. NULL: it is not there. */
static const struct node *node_of(struct probes *probes, const struct target *target, const struct node *const *nodes,
				  size_t count, bool *is_indexed)
{
	bool is_there = target->index < count && is_node_of(target, nodes[target->index]);
	for (size_t i = 0; !is_there && !*is_indexed && i < count; i++) {
		struct target *found = targets_find(probes, node_key(nodes[i]));
		if (found != NULL)
			found->index = (uint32_t)i;
	}
	*is_indexed = *is_indexed || !is_there;
	is_there = is_there || (target->index < count && is_node_of(target, nodes[target->index]));
	return is_there ? nodes[target->index] : NULL;
}

/* Of several checks with one annotation, all must be well before it is taken away. */
static bool is_well_by_all(const struct probes *probes, const struct target *target, const char *key,
			   const struct node *node, struct now now)
{
	for (size_t i = 0; i < probes->kinds_count[target->role]; i++) {
		const struct kind *kind = &probes->kinds[target->role][i];
		if (text_eq(kind->conf->unhealthy_annotation, key) &&
		    probes_finding(probes, kind->check, node, now, NULL) != HEALTH_OK)
			return false;
	}
	return true;
}

static const char *mark_text(struct wall since, struct arena *arena)
{
	char text[WALL_TEXT_BYTES];
	char *copy = arena_strdup(arena, wall_format(since, text)); /* 2026-11-22T15:43:33Z */
	copy[10] = ' ';
	copy[19] = '\0';
	return copy;
}

static bool mark_of(const struct probes *probes, const struct probe *probe, const struct node *node, struct now now,
		    struct arena *arena, struct probe_mark *out)
{
	const struct target *target = target_of(probe);
	const struct kind *kind = &probes->kinds[target->role][probe->slot];
	const char *key = kind->conf->unhealthy_annotation;
	const char *value = node_annotation(node, key);
	struct finding finding;
	struct wall at;
	switch (probes_finding(probes, kind->check, node, now, &finding)) {
	case HEALTH_BAD:
		if (mark_parse(value, &at))
			return false;
		*out = (struct probe_mark){ node, key, mark_text(finding.since, arena) };
		return true;
	case HEALTH_OK:
		if (value == NULL || !is_well_by_all(probes, target, key, node, now))
			return false;
		*out = (struct probe_mark){ node, key, NULL };
		return true;
	case HEALTH_UNKNOWN:
		break;
	}
	return false;
}

bool probes_mark_next(struct probes *probes, const struct node *const *nodes, size_t count, struct now now,
		      struct arena *arena, struct probe_mark *out)
{
	bool is_indexed = false;
	for (size_t looked = 0; looked < MARKS_LOOKED_AT && looked < probes->marks_count; looked++) {
		struct probe *probe = probes->marks[probes->marks_next++ % probes->marks_count];
		if (!mark_is_wanted_of(probes, probe)) {
			mark_drop(probes, probe);
			continue;
		}
		const struct node *node = node_of(probes, target_of(probe), nodes, count, &is_indexed);
		if (node != NULL && mark_of(probes, probe, node, now, arena, out))
			return true;
	}
	return false;
}
