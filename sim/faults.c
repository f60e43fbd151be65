/* Everything that goes wrong: what breaks nodes, what other people do, and the troubles of the services. */
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

static struct server *server_of(const struct world *w, const char *node)
{
	struct member *m = map_get(&w->members_by_name, node);
	return m != NULL ? m->server : NULL;
}

static bool ail(struct world *w, struct now now, const char *node, enum ail what, enum sim_cure cure)
{
	world_advance(w, now);
	struct server *s = server_of(w, node);
	if (s == NULL)
		return false;
	s->ail = what;
	s->cure = cure;
	s->ail_epoch++;
	/* Half of the guests whose kubelet died hang as a whole: then a soft reboot takes Nova's two minutes. */
	s->is_hung = what == AIL_KUBELET &&
		     (cure == CURE_HARD_REBOOT || (cure != CURE_ITSELF && rng_chance(&w->luck, 0.25)));
	guest_settle(w, now, s);
	return true;
}

bool world_break_kubelet(struct world *w, struct now now, const char *node, enum sim_cure cure, int64_t self_ms)
{
	if (!ail(w, now, node, AIL_KUBELET, cure))
		return false;
	struct server *s = server_of(w, node);
	if (cure == CURE_ITSELF)
		due_push(&w->due, now.mono.ms + self_ms, EV_SELF_CURE, s, s->ail_epoch);
	return true;
}

bool world_break_not_ready(struct world *w, struct now now, const char *node, enum sim_cure cure, bool flips)
{
	if (!ail(w, now, node, AIL_NOT_READY, cure))
		return false;
	struct server *s = server_of(w, node);
	s->flips = flips;
	s->is_flipped = false;
	if (flips)
		due_push(&w->due, now.mono.ms + took(w, 90 * SEC), EV_FLIP, s, s->ail_epoch);
	if (cure == CURE_ITSELF)
		due_push(&w->due, now.mono.ms + took(w, 5 * MINUTE), EV_SELF_CURE, s, s->ail_epoch);
	return true;
}

/* ---- hosts, cables, processes ---- */

void world_host_down(struct world *w, struct now now, int host, bool down)
{
	world_advance(w, now);
	host_event(w, now, host, down);
}

bool world_cut_node(struct world *w, struct now now, const char *node, bool cut, bool for_probes)
{
	world_advance(w, now);
	struct server *s = server_of(w, node);
	if (s == NULL)
		return false;
	s->is_cut = cut;
	s->is_all_cut = cut && for_probes;
	guest_settle(w, now, s);
	return true;
}

void world_cut_zone(struct world *w, struct now now, int zone, bool cut)
{
	world_advance(w, now);
	if (zone < 0 || zone >= ZONES_MAX || w->is_zone_cut[zone] == cut)
		return;
	w->is_zone_cut[zone] = cut;
	for (size_t i = 0; i < w->servers_count; i++) {
		struct server *s = w->servers[i];
		if (s->member != NULL && s->member->zone == zone)
			guest_settle(w, now, s);
	}
}

bool world_break_endpoint(struct world *w, struct now now, const char *node, enum sim_cure cure, int64_t self_ms)
{
	world_advance(w, now);
	struct server *s = server_of(w, node);
	if (s == NULL || !s->is_master)
		return false;
	s->is_api_dead = true;
	s->api_cure = cure;
	s->api_epoch++;
	if (cure == CURE_ITSELF)
		due_push(&w->due, now.mono.ms + self_ms, EV_API_CURE, s, s->api_epoch);
	plane_look(w, now);
	return true;
}

void world_slow_boots(struct world *w, int count, int64_t extra_ms)
{
	w->slow_boots = count;
	w->slow_boot_ms = extra_ms;
}

/* ---- servers ---- */

static const struct {
	const char *status;
	enum vm vm;
	bool has_power; /* the guest runs on */
} breakages[] = {
	{ "SHUTOFF", VM_STOPPED, false }, { "ERROR", VM_ERROR, false },
	{ "PAUSED", VM_PAUSED, true },    { "SUSPENDED", VM_SUSPENDED, false },
	{ "RESCUE", VM_RESCUED, false },  { "VERIFY_RESIZE", VM_RESIZED, true },
	{ "ACTIVE", VM_ACTIVE, true },    { "SHELVED_OFFLOADED", VM_SHELVED, false },
};

static void enter_state(struct world *w, struct now now, struct server *s, enum vm vm, bool has_power)
{
	s->op = OP_NONE;
	s->is_op_hung = false;
	s->task = "";
	s->op_epoch++;
	s->vm = vm;
	if (vm == VM_ERROR) {
		s->fault = "Unexpected error while running command: the instance's domain is not running";
		s->faulted = now.wall;
	}
	if (!has_power)
		guest_halt(w, now, s);
	else if (!s->is_running && host_is_down(w, s->host))
		s->was_running = true; /* it starts with its host */
	else if (!s->is_running)
		guest_boot(w, now, s, DOSE_HARD);
	else
		guest_settle(w, now, s);
	server_touch(s, now);
	if (s->member != NULL)
		stack_changed(s->member->stack);
}

bool world_break_server(struct world *w, struct now now, const char *node, const char *status)
{
	world_advance(w, now);
	struct server *s = server_of(w, node);
	if (s == NULL)
		return false;
	if (strcmp(status, "GONE") == 0) {
		server_gone(w, now, s);
		return true;
	}
	if (s->vm == VM_BUILDING || s->op == OP_DELETE)
		return false; /* it has no state to lose yet, or no more */
	for (size_t i = 0; i < COUNT(breakages); i++) {
		if (strcmp(breakages[i].status, status) == 0) {
			enter_state(w, now, s, breakages[i].vm, breakages[i].has_power);
			return true;
		}
	}
	return false;
}

void world_fail_next_boot(struct world *w, int count)
{
	w->bad_boots = count < 0 ? 1 : count;
	w->is_boot_chosen = false;
}

void world_fail_next_boot_as(struct world *w, int count, enum sim_boot kind)
{
	world_fail_next_boot(w, count);
	w->is_boot_chosen = true;
	w->boot_kind = kind;
}

bool world_lock(struct world *w, const char *node, bool locked)
{
	struct server *s = server_of(w, node);
	if (s == NULL)
		return false;
	s->is_locked = locked;
	server_touch(s, w->now);
	return true;
}

bool world_attach_volume(struct world *w, const char *node, char out_volume[40])
{
	struct server *s = server_of(w, node);
	if (s == NULL || s->volumes_count >= 20)
		return false;
	(void)text_copy(out_volume, ID_BYTES, volume_new(w, s, USE_DATA)->id);
	return true;
}

void world_set_healing_label(struct world *w, bool enabled)
{
	w->cluster.is_healing = enabled;
	magnum_changed(w);
}

void world_owner_updates(struct world *w, struct now now, int64_t for_ms)
{
	world_advance(w, now);
	w->stack.hold_until.ms = now.mono.ms + for_ms;
	magnum_busy(w, now, &w->stack, "UPDATE_IN_PROGRESS");
	stack_pass(w, now, &w->stack);
}

void world_creates(struct world *w, struct now now, int64_t for_ms)
{
	world_advance(w, now);
	w->stack.status = "CREATE_IN_PROGRESS";
	stack_changed(&w->stack);
	due_push(&w->due, now.mono.ms + for_ms, EV_CREATED, &w->stack, 0);
	magnum_busy(w, now, &w->stack, "CREATE_IN_PROGRESS");
}

void world_revoke_tokens(struct world *w)
{
	w->tokens_count = 0;
}

void world_drop_watches(struct world *w, bool is_clean)
{
	sim_kube_drop_watches(w->kube, is_clean);
}

void world_compact(struct world *w)
{
	sim_kube_compact(w->kube);
}

/* ---- troubles ---- */

void world_trouble(struct world *w, enum sim_service service, const struct sim_trouble *trouble)
{
	w->troubles[service] = *trouble;
}

static void refuse(enum sim_service service, int status, struct sim_response *out)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = { { 500, "The server has either erred or is incapable of performing the requested operation." },
		      { 503, "The service is currently unable to handle the request due to a temporary overload." },
		      { 429, "Too many requests, please try again later." },
		      { 409, "There was a conflict when trying to complete your request." } };
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (texts[i].status == status)
			error_body(service, status, texts[i].text, out);
	}
	if (status == 429)
		(void)buf_text(&out->headers, "retry-after: 5\n");
}

bool trouble_before(struct world *w, enum sim_service service, struct sim_response *out)
{
	const struct sim_trouble *t = &w->troubles[service];
	if (t->delay_max_ms > t->delay_min_ms)
		out->delay_ms +=
			t->delay_min_ms + (int64_t)rng_below(&w->luck, (uint64_t)(t->delay_max_ms - t->delay_min_ms));
	else
		out->delay_ms += t->delay_min_ms;
	if (t->is_down || (t->lost_request > 0 && rng_chance(&w->luck, t->lost_request))) {
		out->is_lost = true;
		out->status = 0;
		return true;
	}
	const struct {
		double rate;
		int status;
	} refusals[] = { { t->error_500, 500 }, { t->error_503, 503 }, { t->error_429, 429 }, { t->error_409, 409 } };
	for (size_t i = 0; i < COUNT(refusals); i++) {
		if (refusals[i].rate > 0 && rng_chance(&w->luck, refusals[i].rate)) {
			refuse(service, refusals[i].status, out);
			return true;
		}
	}
	return false;
}

void trouble_after(struct world *w, enum sim_service service, struct sim_response *out)
{
	const struct sim_trouble *t = &w->troubles[service];
	if (t->lost_answer > 0 && rng_chance(&w->luck, t->lost_answer)) {
		out->is_lost = true;
		if (out->stream != 0)
			sim_kube_stream_closed(w->kube, out->stream);
		out->stream = 0;
		return;
	}
	if (t->cut_answer <= 0 || out->stream != 0 || out->body.n < 2 || !rng_chance(&w->luck, t->cut_answer))
		return;
	out->body.n = 1 + rng_below(&w->luck, out->body.n - 1);
	out->body.p[out->body.n] = '\0';
	out->is_cut = true;
}
