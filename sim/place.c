/* Compute hosts: where servers are, and what happens when a host dies; and volumes, which outlive both. */
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

/* ---- hosts ---- */

bool host_is_down(const struct world *w, int host)
{
	for (size_t i = 0; i < w->hosts_down_count; i++) {
		if (w->hosts_down[i] == host)
			return true;
	}
	return false;
}

/* Hosts stand in zones in turn, when there are enough of them. */
static bool is_fit(const struct world *w, int host, int zone)
{
	bool is_zoned = zone != NO_PLACE && w->opts.hosts >= w->opts.zones;
	return !host_is_down(w, host) && (!is_zoned || host % w->opts.zones == zone);
}

static int some_host(struct world *w, const struct server *s)
{
	int zone = s->member != NULL ? s->member->zone : NO_PLACE;
	int start = (int)rng_below(&w->luck, (uint64_t)w->opts.hosts);
	int second = NO_PLACE;
	for (int i = 0; i < w->opts.hosts; i++) {
		int host = (start + i) % w->opts.hosts;
		if (is_fit(w, host, zone) && host != s->host)
			return host;
		if (second == NO_PLACE && !host_is_down(w, host) && (host != s->host || w->opts.hosts == 1))
			second = host; /* a zone without a host left: better elsewhere than nowhere */
	}
	return second;
}

void host_move(struct world *w, struct server *s)
{
	int host = w->opts.hosts > 0 ? some_host(w, s) : w->hosts_made++;
	if (host != NO_PLACE)
		s->host = host;
}

void host_settle(struct world *w, struct server *s, int nth)
{
	int zone = s->member != NULL ? s->member->zone : NO_PLACE;
	for (int i = 0; i < w->opts.hosts; i++) {
		int host = (nth + i) % w->opts.hosts;
		if (is_fit(w, host, zone)) {
			s->host = host;
			return;
		}
	}
}

/* The guests that were running start with it, and what Nova was told meanwhile goes on. */
static void server_up(struct world *w, struct now at, struct server *s)
{
	bool starts = s->was_running && s->op != OP_STOP && s->op != OP_DELETE;
	bool is_hung = s->is_op_hung;
	enum op op = s->op;
	if (starts)
		guest_boot(w, at, s, DOSE_HARD);
	if (is_hung && op == s->op) {
		s->op_step = 0;
		server_begin(w, at, s, op);
	}
}

static void server_down(struct world *w, struct now at, struct server *s)
{
	bool was_running = s->is_running;
	if (was_running)
		guest_halt(w, at, s);
	s->was_running = was_running;
	if (s->op != OP_NONE && s->op != OP_DELETE) {
		s->op_epoch++; /* its next step does not come */
		s->is_op_hung = true;
	}
}

void host_event(struct world *w, struct now at, int host, bool down)
{
	if (host < 0 || down == host_is_down(w, host) || (down && w->hosts_down_count == HOSTS_MAX))
		return;
	if (down) {
		if (w->hosts_down == NULL)
			w->hosts_down = xcalloc(HOSTS_MAX, sizeof(w->hosts_down[0]));
		w->hosts_down[w->hosts_down_count++] = host;
	} else {
		size_t i = 0;
		while (w->hosts_down[i] != host)
			i++;
		w->hosts_down[i] = w->hosts_down[--w->hosts_down_count];
	}
	for (size_t i = 0; i < w->servers_count; i++) {
		if (w->servers[i]->host != host)
			continue;
		if (down)
			server_down(w, at, w->servers[i]);
		else
			server_up(w, at, w->servers[i]);
	}
}

/* ---- volumes ---- */

struct volume *volume_find(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->volumes_count; i++) {
		if (strcmp(w->volumes[i]->id, id) == 0)
			return w->volumes[i];
	}
	return NULL;
}

static void volume_destroy(void *thing)
{
	free(thing);
}

static void attach(struct world *w, struct volume *v, struct server *s)
{
	v->server = s;
	v->attached = w->now.wall;
	s->volumes_count++;
	server_touch(s, w->now);
}

static void drop(struct world *w, struct volume *v)
{
	size_t i = 0;
	while (w->volumes[i] != v)
		i++;
	w->volumes_count--;
	memmove(&w->volumes[i], &w->volumes[i + 1], (w->volumes_count - i) * sizeof(struct volume *));
	thing_drop(&v->thing);
}

/* Detached ones that nobody asks for any more, the oldest first. */
static void forget_one(struct world *w)
{
	if (w->volumes_count < VOLUMES_MAX)
		return;
	for (size_t i = 0; i < w->volumes_count; i++) {
		if (w->volumes[i]->server == NULL && w->volumes[i]->member == NULL) {
			drop(w, w->volumes[i]);
			return;
		}
	}
}

struct volume *volume_new(struct world *w, struct server *s, enum use use)
{
	if (use == USE_DATA)
		forget_one(w);
	struct volume *v = xcalloc(1, sizeof(*v));
	v->thing.destroy = volume_destroy;
	v->use = use;
	make_uuid(&w->ids, v->id);
	make_uuid(&w->ids, v->attachment_id);
	char letter = (char)(use == USE_ROOT ? 'a' : use == USE_ETCD ? 'b' : 'c' + s->volumes_count);
	(void)snprintf(v->device, sizeof(v->device), "/dev/vd%c", letter);
	v->created = w->now.wall;
	attach(w, v, s);
	if (w->volumes_count == w->volumes_room) {
		w->volumes_room = w->volumes_room > 0 ? w->volumes_room * 2 : 16;
		w->volumes = xrealloc(w->volumes, w->volumes_room * sizeof(struct volume *));
	}
	w->volumes[w->volumes_count++] = v;
	return v;
}

void volume_detached(struct world *w, struct volume *v)
{
	if (v->server != NULL) {
		v->server->volumes_count--;
		buf_clear(&v->server->json);
	}
	v->server = NULL;
	v->is_detaching = false;
	v->epoch++;
	if (v->is_left_over)
		drop(w, v);
}

void volume_move(struct world *w, struct volume *v, struct server *to)
{
	if (v->server != NULL) {
		v->server->volumes_count--;
		server_touch(v->server, w->now);
	}
	v->is_detaching = false;
	v->epoch++;
	attach(w, v, to);
}

void volume_free(struct world *w, struct volume *v)
{
	v->member = NULL;
	v->is_left_over = true;
	if (v->server == NULL)
		drop(w, v);
}
