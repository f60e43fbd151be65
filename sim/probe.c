/* Who looks at a node's ports from inside the cluster: the kubelet's and, on masters, the API server's. A dead process
 * is refused by the host that lives; a dead or unreachable guest says nothing. */
#include <string.h>

#include "sim/world_int.h"

#define PORT_API 6443
#define PORT_KUBELET 10250

static const struct server *server_at(const struct world *w, const char *address)
{
	const struct member *m = map_get(&w->members_by_address, address);
	if (m == NULL || m->server == NULL || strcmp(m->server->address, address) != 0)
		return NULL;
	return m->server;
}

static void plain(struct sim_response *out, int status, const char *text)
{
	out->status = status;
	(void)buf_text(&out->headers, "content-type: text/plain; charset=utf-8\n");
	(void)buf_text(&out->body, text);
}

static void api(const struct world *w, const struct server *s, const char *path, struct sim_response *out)
{
	if (s->is_api_dead || s->ail == AIL_BAD_BOOTSTRAP)
		out->is_refused = true;
	else if (path == NULL)
		out->status = 200;
	else if (text_starts(path, "/healthz") || text_starts(path, "/livez") || text_starts(path, "/readyz"))
		plane_health(path, etcd_is_well(w, s) && w->plane == PLANE_WELL, out);
	else
		plain(out, 403, "forbidden: User \"system:anonymous\" cannot get path\n");
}

static void kubelet(const struct server *s, const char *path, struct sim_response *out)
{
	bool is_dead = s->ail == AIL_KUBELET || s->ail == AIL_BAD_BOOTSTRAP || s->is_flipped;
	if (is_dead && s->is_hung)
		out->is_lost = true;
	else if (is_dead)
		out->is_refused = true;
	else if (path == NULL)
		out->status = 200;
	else
		plain(out, 401, "Unauthorized");
}

bool world_probe(struct world *w, struct now now, const char *address, int port, const char *path,
		 struct sim_response *out)
{
	world_advance(w, now);
	const struct server *s = server_at(w, address);
	out->status = 0;
	out->delay_ms = 1 + (int64_t)rng_below(&w->times, 20);
	if (s == NULL || !guest_is_reached(w, s))
		out->is_lost = true;
	else if (port == PORT_API && s->is_master)
		api(w, s, path, out);
	else if (port == PORT_KUBELET)
		kubelet(s, path, out);
	else
		out->is_refused = true;
	return s != NULL;
}
