/* The control plane on the masters: a member of etcd and an API server each. Without a quorum of etcd the API servers
 * answer errors; without any API server nobody answers.
 *
 *   a master's guest lives, has its data, reaches the others ──▶ its member is well ──▶ quorum? ──▶ PLANE_WELL
 *   an API server asks the etcd member beside it, as Magnum sets it up: it is well when both are and there is a quorum.
 */
#include <string.h>

#include "base/jsonx.h"
#include "sim/world_int.h"

#define ETCD_TIMEOUT_MS (7 * SEC) /* 5 s and two elections */

/* ---- how it is ---- */

/* A single member has no others that it could be cut off from. */
static bool is_alone(const struct world *w)
{
	return w->opts.masters == 1;
}

static bool is_current(const struct server *s)
{
	return s->is_master && s->member != NULL && s->member->server == s && s->address[0] != '\0' &&
	       s->ail != AIL_BAD_BOOTSTRAP;
}

bool etcd_is_well(const struct world *w, const struct server *s)
{
	return is_current(s) && guest_lives(s) && s->member->has_etcd_data && (!s->is_all_cut || is_alone(w));
}

static bool api_runs(const struct world *w, const struct server *s)
{
	return is_current(s) && guest_lives(s) && !s->is_api_dead && (!s->is_all_cut || is_alone(w));
}

static enum plane look(const struct world *w, struct sim_etcd *out)
{
	bool has_api = false;
	*out = (struct sim_etcd){ .members = w->opts.masters };
	for (size_t i = 0; i < w->stack.members_count && w->stack.members[i]->is_master; i++) {
		const struct server *s = w->stack.members[i]->server;
		if (s == NULL)
			continue;
		out->healthy += etcd_is_well(w, s);
		has_api = has_api || api_runs(w, s);
	}
	out->has_quorum = out->healthy >= out->members / 2 + 1;
	return !has_api ? PLANE_DEAD : out->has_quorum ? PLANE_WELL : PLANE_NO_QUORUM;
}

void world_etcd(const struct world *w, struct sim_etcd *out)
{
	(void)look(w, out);
}

bool endpoint_is_well(const struct world *w, const struct server *s)
{
	return api_runs(w, s) && etcd_is_well(w, s) && w->plane == PLANE_WELL;
}

void plane_look(struct world *w, struct now at)
{
	struct sim_etcd etcd;
	if (!w->is_made || w->opts.masters == 0)
		return;
	enum plane plane = look(w, &etcd);
	if (plane == w->plane)
		return;
	bool was_well = w->plane == PLANE_WELL;
	w->plane = plane;
	if (was_well) {
		sim_kube_set_down(w->kube, at, true);
		return;
	}
	if (plane != PLANE_WELL)
		return;
	sim_kube_set_down(w->kube, at, false);
	for (size_t i = 0; i < w->servers_count; i++) {
		if (w->servers[i]->is_talking)
			guest_speak(w, at, w->servers[i]);
	}
}

/* ---- what it answers ---- */

static const char *const parts[] = { "ping", "log", "etcd", "informer-sync",
				     "poststarthook/start-apiserver-admission" };

void plane_health(const char *path, bool is_etcd_well, struct sim_response *out)
{
	size_t n = strcspn(path, "?");
	const char *name = n > 0 ? path + 1 : path;
	bool is_alive_only = n == strlen("/livez") && strncmp(path, "/livez", n) == 0;
	bool is_good = is_etcd_well || is_alive_only;
	bool is_verbose = strstr(path + n, "verbose") != NULL;
	out->status = is_good ? 200 : 500;
	(void)buf_text(&out->headers, "content-type: text/plain; charset=utf-8\n");
	if (is_good && !is_verbose) {
		(void)buf_text(&out->body, "ok");
		return;
	}
	for (size_t i = 0; i < COUNT(parts); i++) {
		bool is_bad = !is_good && strcmp(parts[i], "etcd") == 0;
		if (is_alive_only && strcmp(parts[i], "etcd") == 0)
			continue;
		(void)buf_printf(&out->body, is_bad ? "[-]%s failed: reason withheld\n" : "[+]%s ok\n", parts[i]);
	}
	(void)buf_printf(&out->body, "%.*s check %s\n", n > 0 ? (int)n - 1 : 0, name, is_good ? "passed" : "failed");
}

static bool is_health(const char *target)
{
	static const char *const names[] = { "/healthz", "/livez", "/readyz" };
	size_t n = strcspn(target, "?");
	for (size_t i = 0; i < COUNT(names); i++) {
		if (n == strlen(names[i]) && strncmp(target, names[i], n) == 0)
			return true;
	}
	return false;
}

/* What the API server says when etcd does not answer it: a read fails, a write may or may not have been done. */
static void no_answer(struct world *w, const struct sim_request *req, struct sim_response *out)
{
	bool is_read = strcmp(req->method, "GET") == 0;
	out->delay_ms += scaled(w, ETCD_TIMEOUT_MS);
	out->status = is_read ? 500 : 504;
	(void)buf_text(&out->headers, "content-type: application/json\n");
	(void)buf_printf(&out->body,
			 "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
			 "\"message\":\"%s\"%s,\"code\":%d}",
			 is_read ? "etcdserver: request timed out"
				 : "Timeout: request did not complete within the allotted timeout",
			 is_read ? "" : ",\"reason\":\"Timeout\",\"details\":{}", out->status);
}

bool plane_answers(struct world *w, const struct sim_request *req, struct sim_response *out)
{
	if (w->plane == PLANE_DEAD) {
		out->status = 0;
		out->is_lost = true;
		return true;
	}
	if (is_health(req->target)) {
		plane_health(req->target, w->plane == PLANE_WELL, out);
		return true;
	}
	if (w->plane == PLANE_WELL)
		return false;
	no_answer(w, req, out);
	return true;
}
