/* Time, dispatch and the beginning of the simulated world. */
#include "sim/world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

const char *sim_act_name(enum sim_act_kind kind)
{
#define AS_NAME(id, name) [id] = (name),
	static const char *const names[] = { SIM_ACTS(AS_NAME) };
	return names[kind];
}

void sim_response_init(struct sim_response *out)
{
	*out = (struct sim_response){ 0 };
	buf_init(&out->headers, 16 << 10);
	buf_init(&out->body, BODY_BYTES_MAX);
}

void sim_response_done(struct sim_response *out)
{
	buf_done(&out->headers);
	buf_done(&out->body);
}

/* ---- small tools ---- */

struct now world_at(const struct world *w, int64_t mono_ms)
{
	return (struct now){ .mono = { mono_ms }, .wall = { w->now.wall.ms + (mono_ms - w->now.mono.ms) } };
}

int64_t scaled(const struct world *w, int64_t ms)
{
	int64_t result = (int64_t)((double)ms * w->opts.pace);
	return result > 0 ? result : 1;
}

int64_t took(struct world *w, int64_t ms)
{
	return scaled(w, (int64_t)((double)ms * (0.9 + 0.2 * rng_unit(&w->times))));
}

void make_hex(struct rng *rng, char *out, size_t digits)
{
	for (size_t i = 0; i < digits; i++)
		out[i] = "0123456789abcdef"[rng_below(rng, 16)];
	out[digits] = '\0';
}

void make_word(struct rng *rng, char *out, size_t letters)
{
	for (size_t i = 0; i < letters; i++)
		out[i] = "abcdefghijklmnopqrstuvwxyz234567"[rng_below(rng, 32)];
	out[letters] = '\0';
}

void make_uuid(struct rng *rng, char out[ID_BYTES])
{
	uint64_t a = rng_next(rng);
	uint64_t b = rng_next(rng);
	(void)snprintf(out, ID_BYTES, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
		       (unsigned)(a & 0xfff), (unsigned)(0x8000 | (b >> 48 & 0x3fff)),
		       (unsigned long long)(b & 0xffffffffffff));
}

void tell(struct world *w, struct now at, enum sim_act_kind kind, const char *client, const char *server,
	  const char *node, int status)
{
	if (w->opts.on_act == NULL)
		return;
	struct sim_act act = { .kind = kind,
			       .at = at.mono,
			       .client = client != NULL ? client : "",
			       .server = server,
			       .node = node,
			       .status = status };
	w->opts.on_act(w->opts.ctx, &act);
}

/* ---- time ---- */

static void server_event(struct world *w, struct now at, const struct event *event)
{
	struct server *s = event->what;
	switch (event->kind) {
	case EV_SERVER:
		if (event->epoch == s->op_epoch)
			server_step(w, at, s);
		break;
	case EV_BOOTED:
		if (event->epoch == s->guest_epoch)
			guest_booted(w, at, s);
		break;
	case EV_BEAT:
		if (event->epoch == s->guest_epoch)
			guest_beat(w, at, s);
		break;
	case EV_SELF_CURE:
		if (event->epoch == s->ail_epoch)
			guest_cured(w, at, s);
		break;
	case EV_FLIP:
		if (event->epoch == s->ail_epoch)
			guest_flip(w, at, s);
		break;
	case EV_API_CURE:
		if (event->epoch == s->api_epoch)
			s->is_api_dead = false;
		plane_look(w, at);
		break;
	default:
		assert(false);
	}
}

/* What etcd had on it is not at hand any more, and its member does not join again with it. */
static void volume_detached_by_hand(struct world *w, struct now at, struct volume *v)
{
	struct member *m = v->member;
	if (m != NULL && v == m->etcd)
		m->has_etcd_data = false;
	volume_detached(w, v);
	plane_look(w, at);
}

static void happen(struct world *w, struct now at, const struct event *event)
{
	switch ((enum event_kind)event->kind) {
	case EV_SERVER:
	case EV_BOOTED:
	case EV_BEAT:
	case EV_SELF_CURE:
	case EV_FLIP:
	case EV_API_CURE:
		server_event(w, at, event);
		break;
	case EV_VOLUME:
		if (event->epoch == ((struct volume *)event->what)->epoch)
			volume_detached_by_hand(w, at, event->what);
		break;
	case EV_MEMBER:
		if (event->epoch == ((struct member *)event->what)->epoch)
			member_event(w, at, event->what);
		break;
	case EV_PASS_BEGINS:
	case EV_PASS_MASTERS:
	case EV_PASS_WORKERS:
	case EV_PASS_ENDS:
	case EV_PASS_TIMEOUT:
	case EV_CREATED:
		stack_event(w, at, event->what, event);
		break;
	case EV_RESIZE:
		stack_magnum_resize(w, at, event->what);
		thing_drop(event->what);
		break;
	case EV_SYNC:
		magnum_sync(w, at);
		break;
	case EV_JOB:
		job_event(w, at, event->what);
		break;
	}
}

void world_advance(struct world *w, struct now now)
{
	/* A clock that steps back (wall) is fine; time that runs back is not. */
	if (now.mono.ms < w->now.mono.ms)
		now.mono = w->now.mono;
	w->now = now;
	for (int64_t kube_at = INT64_MIN;;) {
		int64_t mine = due_next(&w->due);
		int64_t kube = sim_kube_next(w->kube).ms;
		if (kube <= now.mono.ms && kube < mine && kube > kube_at) {
			sim_kube_advance(w->kube, world_at(w, kube));
			kube_at = kube;
			continue;
		}
		struct event event;
		if (!due_pop(&w->due, now.mono.ms, &event))
			break;
		happen(w, world_at(w, event.due_ms), &event);
	}
	sim_kube_advance(w->kube, now);
}

struct mono world_next(const struct world *w)
{
	int64_t mine = due_next((struct due *)&w->due); /* only drops what is void */
	int64_t kube = sim_kube_next(w->kube).ms;
	return (struct mono){ mine < kube ? mine : kube };
}

/* ---- requests ---- */

const char *request_header(const struct sim_request *req, const char *name)
{
	const char *value = req->header != NULL ? req->header(req, name) : "";
	return value != NULL ? value : "";
}

bool call_is(const struct call *c, const char *method, size_t count)
{
	return c->count == count && strcmp(c->req->method, method) == 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Decodes percent-escapes (and + in queries) of n bytes; false when it does not fit or would make a NUL. */
static bool decode(const char *from, size_t n, bool is_query, char *out, size_t out_bytes)
{
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		char c = from[i];
		if (c == '%' && i + 2 < n && hex_digit(from[i + 1]) >= 0 && hex_digit(from[i + 2]) >= 0) {
			c = (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2]));
			i += 2;
		} else if (c == '+' && is_query) {
			c = ' ';
		}
		if (c == '\0' || at + 1 >= out_bytes)
			return false;
		out[at++] = c;
	}
	out[at] = '\0';
	return true;
}

bool call_query(const struct call *c, const char *name, char *out, size_t out_bytes)
{
	size_t n = strlen(name);
	for (const char *at = c->query; *at != '\0';) {
		size_t length = strcspn(at, "&");
		if (length > n && strncmp(at, name, n) == 0 && at[n] == '=')
			return decode(at + n + 1, length - n - 1, true, out, out_bytes);
		at += length;
		at += *at == '&';
	}
	return false;
}

json_t *call_body(const struct call *c)
{
	return json_parse(c->req->body, NULL);
}

void answer_json(struct sim_response *out, int status)
{
	out->status = status;
	(void)buf_text(&out->headers, "content-type: application/json\n");
}

static const char *nova_fault(int status)
{
	switch (status) {
	case 400:
		return "badRequest";
	case 403:
		return "forbidden";
	case 404:
		return "itemNotFound";
	case 409:
		return "conflictingRequest";
	case 429:
		return "overLimit";
	default:
		return "computeFault";
	}
}

static const struct {
	int status;
	const char *title, *heat_type;
} titles[] = {
	{ 400, "Bad Request", "HTTPBadRequest" },
	{ 401, "Unauthorized", "HTTPUnauthorized" },
	{ 403, "Forbidden", "Forbidden" },
	{ 404, "Not Found", "EntityNotFound" },
	{ 405, "Method Not Allowed", "HTTPMethodNotAllowed" },
	{ 409, "Conflict", "ActionInProgress" },
	{ 429, "Too Many Requests", "RequestLimitExceeded" },
	{ 500, "Internal Server Error", "HTTPInternalServerError" },
	{ 503, "Service Unavailable", "HTTPServiceUnavailable" },
};

static size_t title_of(int status)
{
	for (size_t i = 0; i < COUNT(titles); i++) {
		if (titles[i].status == status)
			return i;
	}
	return 0;
}

static void error_form(struct buf *body, enum sim_service service, int status, const char *text)
{
	size_t t = title_of(status);
	switch (service) {
	case SIM_KEYSTONE:
		(void)buf_printf(body, "{\"error\": {\"code\": %d, \"title\": \"%s\", \"message\": ", status,
				 titles[t].title);
		(void)buf_json(body, text);
		(void)buf_text(body, "}}");
		break;
	case SIM_NOVA:
	case SIM_CINDER:
		(void)buf_printf(body, "{\"%s\": {\"code\": %d, \"message\": ", nova_fault(status), status);
		(void)buf_json(body, text);
		(void)buf_text(body, "}}");
		break;
	case SIM_HEAT:
		(void)buf_printf(
			body,
			"{\"code\": %d, \"title\": \"%s\", \"explanation\": \"%s\", \"error\": {\"type\": \"%s\", "
			"\"traceback\": null, \"message\": ",
			status, titles[t].title, status == 404 ? "The resource could not be found." : titles[t].title,
			titles[t].heat_type);
		(void)buf_json(body, text);
		(void)buf_text(body, "}}");
		break;
	case SIM_MAGNUM:
		(void)buf_printf(
			body, "{\"errors\": [{\"request_id\": \"\", \"code\": \"client\", \"status\": %d, \"title\": ",
			status);
		(void)buf_json(body, text);
		(void)buf_text(body, ", \"detail\": ");
		(void)buf_json(body, text);
		body->n -= 1; /* its closing quote: the detail ends with a full stop */
		(void)buf_text(body, ".\", \"links\": []}]}");
		break;
	case SIM_KUBE:
	case SIM_SERVICES_COUNT:
		(void)buf_printf(
			body,
			"{\"kind\": \"Status\", \"apiVersion\": \"v1\", \"metadata\": {}, \"status\": \"Failure\", "
			"\"code\": %d, \"message\": ",
			status);
		(void)buf_json(body, text);
		(void)buf_text(body, "}");
		break;
	}
}

void error_body(enum sim_service service, int status, const char *text, struct sim_response *out)
{
	buf_clear(&out->body);
	answer_json(out, status);
	error_form(&out->body, service, status, text);
}

void call_error(struct call *c, int status, const char *text)
{
	error_body(c->service, status, text, c->out);
}

void unauthorized(struct sim_response *out)
{
	error_body(SIM_KEYSTONE, 401, "The request you have made requires authentication.", out);
	(void)buf_text(&out->headers, "www-authenticate: Keystone uri=\"/identity\"\n");
}

static const struct service {
	const char *prefix;
	enum sim_service id;
	bool has_project; /* the prefix is followed by the project's id */
	int64_t delay_min_ms, delay_max_ms;
	bool (*http)(struct call *);
} services[] = {
	{ "/identity/", SIM_KEYSTONE, false, 40, 150, keystone_http },
	{ "/compute/v2.1/", SIM_NOVA, false, 40, 200, nova_http },
	{ "/orchestration/v1/", SIM_HEAT, true, 500, 900, heat_http }, /* its RPC is polled each 0.5 s */
	{ "/container-infra/v1/", SIM_MAGNUM, false, 100, 300, magnum_http },
	{ "/volume/v3/", SIM_CINDER, true, 40, 150, cinder_http },
};

/* Cuts the target into decoded segments and the query. */
static bool parse_target(struct call *c, const char *rest)
{
	size_t n = strcspn(rest, "?");
	c->query = rest[n] == '?' ? rest + n + 1 : "";
	char *out = c->path;
	for (size_t i = 0; i < n;) {
		size_t length = strcspn(rest + i, "/?");
		if (length > 0) {
			if (c->count == SEGMENTS_MAX ||
			    !decode(rest + i, length, false, out, (size_t)(c->path + sizeof(c->path) - out)))
				return false;
			c->seg[c->count++] = out;
			out += strlen(out) + 1;
		}
		i += length + 1;
	}
	return true;
}

static bool is_offered(const struct world *w, enum sim_service service)
{
	return (service != SIM_HEAT || w->opts.with_heat) && (service != SIM_CINDER || w->opts.with_cinder) &&
	       (service != SIM_MAGNUM || w->opts.with_magnum);
}

static bool is_let_in(struct call *c, bool has_project)
{
	if (c->service == SIM_KEYSTONE)
		return true;
	c->token = token_find(c->w, c->now, request_header(c->req, "x-auth-token"));
	if (c->token == NULL || c->token->is_unscoped) {
		unauthorized(c->out);
		return false;
	}
	if (has_project && (c->count == 0 || strcmp(c->seg[0], SIM_PROJECT_ID) != 0)) {
		call_error(c, 403, "You are not authorized to use this project.");
		return false;
	}
	if (has_project) {
		c->count--;
		memmove(&c->seg[0], &c->seg[1], c->count * sizeof(c->seg[0]));
	}
	return true;
}

static void call_service(struct world *w, struct now now, const struct sim_request *req, const struct service *service,
			 struct sim_response *out)
{
	struct call c = { .w = w, .now = now, .req = req, .out = out, .service = service->id };
	if (!is_offered(w, service->id) || !parse_target(&c, req->target + strlen(service->prefix) - 1))
		call_error(&c, 404, "The resource could not be found.");
	else if (is_let_in(&c, service->has_project) && !service->http(&c))
		call_error(&c, 404, "The resource could not be found.");
}

static const struct service *service_of(const char *target)
{
	for (size_t i = 0; i < COUNT(services); i++) {
		if (text_starts(target, services[i].prefix))
			return &services[i];
	}
	return NULL;
}

void world_http(struct world *w, struct now now, const struct sim_request *req, struct sim_response *out)
{
	world_advance(w, now);
	const struct service *service = service_of(req->target);
	enum sim_service id = service != NULL ? service->id : SIM_KUBE;
	int64_t min = service != NULL ? service->delay_min_ms : 1;
	int64_t max = service != NULL ? service->delay_max_ms : 8;
	out->delay_ms = scaled(w, min + (int64_t)rng_below(&w->times, (uint64_t)(max - min)));
	if (trouble_before(w, id, out))
		return;
	if (service != NULL)
		call_service(w, w->now, req, service, out);
	else if (!plane_answers(w, req, out))
		sim_kube_http(w->kube, w->now, req, out);
	trouble_after(w, id, out);
}

void world_stream_closed(struct world *w, uint64_t stream)
{
	sim_kube_stream_closed(w->kube, stream);
}

/* ---- the beginning and the end ---- */

struct world_opts world_defaults(void)
{
	return (struct world_opts){ .seed = 1,
				    .masters = 3,
				    .workers = 3,
				    .cluster_uuid = "c418c335-0e52-42fc-bd68-baa8d264e072",
				    .cluster_name = "k8s-cluster",
				    .worker_word = "node",
				    .base_url = "https://127.0.0.1:41234",
				    .with_heat = true,
				    .with_cinder = true,
				    .with_magnum = true,
				    .with_etcd_volume = true,
				    .pace = 1.0,
				    .grace_ms = 40 * SEC,
				    .heartbeat_ms = 5 * MINUTE };
}

static void kube_bytes(void *ctx, uint64_t stream, struct str bytes)
{
	const struct world *w = ctx;
	if (w->opts.stream_bytes != NULL)
		w->opts.stream_bytes(w->opts.ctx, stream, bytes);
}

static void kube_end(void *ctx, uint64_t stream, bool is_clean)
{
	const struct world *w = ctx;
	if (w->opts.stream_end != NULL)
		w->opts.stream_end(w->opts.ctx, stream, is_clean);
}

static void kube_act(void *ctx, const struct sim_act *act)
{
	struct world *w = ctx;
	const struct member *m = map_get(&w->members_by_name, act->node);
	tell(w, (struct now){ .mono = act->at }, act->kind, act->client,
	     m != NULL && m->server != NULL ? m->server->id : "", act->node, act->status);
}

static void take_opts(struct world *w, const struct world_opts *opts)
{
	struct world_opts defaults = world_defaults();
	w->opts = *opts;
	if (w->opts.pace <= 0)
		w->opts.pace = defaults.pace;
	if (w->opts.grace_ms <= 0)
		w->opts.grace_ms = defaults.grace_ms;
	if (w->opts.heartbeat_ms <= 0)
		w->opts.heartbeat_ms = defaults.heartbeat_ms;
	if (w->opts.zones > ZONES_MAX)
		w->opts.zones = ZONES_MAX;
	if (w->opts.hosts > HOSTS_MAX)
		w->opts.hosts = HOSTS_MAX;
	struct cluster *cluster = &w->cluster;
	(void)TEXT_COPY(cluster->id, opts->cluster_uuid != NULL ? opts->cluster_uuid : defaults.cluster_uuid);
	(void)TEXT_COPY(cluster->name, opts->cluster_name != NULL ? opts->cluster_name : defaults.cluster_name);
	(void)TEXT_COPY(w->base_url, opts->base_url != NULL ? opts->base_url : defaults.base_url);
	char word[16];
	make_word(&w->ids, word, 12);
	if (opts->node_prefix != NULL)
		(void)TEXT_COPY(w->prefix, opts->node_prefix);
	else
		(void)snprintf(w->prefix, sizeof(w->prefix), "%.180s-%s", cluster->name, word);
	assert(cluster->id[0] != '\0' && cluster->name[0] != '\0' && w->prefix[0] != '\0');
	w->opts.cluster_uuid = cluster->id;
	w->opts.cluster_name = cluster->name;
	w->opts.base_url = w->base_url;
	w->opts.node_prefix = w->prefix;
	(void)TEXT_COPY(w->worker_word, opts->worker_word != NULL ? opts->worker_word : defaults.worker_word);
	w->opts.worker_word = w->worker_word;
}

struct world *world_new(const struct world_opts *opts, struct now now)
{
	struct world *w = xcalloc(1, sizeof(*w));
	w->ids.state = opts->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	w->times.state = opts->seed * UINT64_C(0xbf58476d1ce4e5b9) + 2;
	w->luck.state = opts->seed * UINT64_C(0x94d049bb133111eb) + 3;
	if (now.mono.ms <= 0)
		now.mono.ms = 1; /* 0 means never */
	w->now = now;
	take_opts(w, opts);
	struct sim_kube_opts kube = { .grace_ms = w->opts.grace_ms,
				      .has_watch_list = true,
				      .ctx = w,
				      .stream_bytes = kube_bytes,
				      .stream_end = kube_end,
				      .on_act = kube_act };
	w->kube = sim_kube_new(&kube, now);
	buf_init(&w->scratch, BODY_BYTES_MAX);
	struct now created = { .mono = now.mono, .wall = { now.wall.ms - 48 * HOUR } };
	stack_init(w, created, &w->stack, w->prefix, w->opts.masters, w->opts.workers);
	w->has_extra = w->opts.extra_workers > 0;
	if (w->has_extra) {
		char word[16];
		char name[NAME_BYTES];
		make_word(&w->ids, word, 12);
		(void)snprintf(name, sizeof(name), "%.180s-extra-%s", w->cluster.name, word);
		stack_init(w, created, &w->extra, name, 0, w->opts.extra_workers);
	}
	magnum_init(w, created);
	w->is_made = true;
	return w;
}

static void drop_servers(struct world *w)
{
	for (size_t i = 0; i < w->servers_count; i++)
		thing_drop(&w->servers[i]->thing);
	for (size_t i = 0; i < w->gone_count; i++)
		thing_drop(&w->gone[i]->thing);
	for (size_t i = 0; i < w->volumes_count; i++)
		thing_drop(&w->volumes[i]->thing);
	free(w->servers);
	free(w->volumes);
}

void world_free(struct world *w)
{
	if (w == NULL)
		return;
	drop_servers(w);
	jobs_done(w);
	stack_done(&w->stack);
	stack_done(&w->extra);
	magnum_done(w);
	for (size_t i = 0; i < w->due.count; i++) {
		if (w->due.heap[i].kind == EV_RESIZE) /* nobody owns it but its event */
			thing_drop(w->due.heap[i].what);
	}
	due_done(&w->due);
	map_done(&w->servers_by_id);
	map_done(&w->members_by_name);
	map_done(&w->members_by_address);
	free(w->hosts_down);
	tokens_done(w);
	sim_kube_free(w->kube);
	buf_done(&w->scratch);
	free(w);
}

/* ---- looking ---- */

struct sim_kube *world_kube(struct world *w)
{
	return w->kube;
}

static void show(const struct world *w, const struct server *s, struct sim_server *out)
{
	int zone = s->member != NULL ? s->member->zone : NO_PLACE;
	bool is_zone_cut = zone != NO_PLACE && w->is_zone_cut[zone];
	out->is_master = s->is_master;
	out->is_running = s->is_running;
	out->is_kubelet_alive = s->is_talking;
	out->healthy_since = s->healthy_since;
	out->zone = zone;
	out->host = s->host;
	out->is_host_up = !host_is_down(w, s->host);
	out->is_api_cut = s->is_cut || is_zone_cut;
	out->is_stopped_by_person = s->is_stopped_by_person;
	out->is_others = s->is_others;
	out->others_since = s->others_since;
	out->others_until = s->others_until;
	out->is_endpoint_well = s->is_master && endpoint_is_well(w, s);
	out->is_etcd_well = s->is_master && etcd_is_well(w, s);
	(void)TEXT_COPY(out->id, s->id);
	(void)TEXT_COPY(out->name, s->name);
	(void)TEXT_COPY(out->status, server_status(s));
	(void)TEXT_COPY(out->task_state, s->task);
	(void)TEXT_COPY(out->address, s->address);
	(void)TEXT_COPY(out->node, s->name);
}

size_t world_servers_count(const struct world *w)
{
	return w->servers_count;
}

void world_server(const struct world *w, size_t i, struct sim_server *out)
{
	assert(i < w->servers_count);
	show(w, w->servers[i], out);
}

bool world_server_of_node(const struct world *w, const char *node, struct sim_server *out)
{
	const struct member *m = map_get(&w->members_by_name, node);
	if (m == NULL || m->server == NULL)
		return false;
	show(w, m->server, out);
	return true;
}

bool world_stack_is_busy(const struct world *w)
{
	return stack_is_busy(&w->stack) || (w->has_extra && stack_is_busy(&w->extra));
}
