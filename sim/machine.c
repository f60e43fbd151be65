/* Servers and the guests on them.
 *
 * A server does one operation at a time, in steps; each step shows a task_state for a while:
 *
 *   begin ──▶ step 0 ──▶ step 1 ──▶ ... ──▶ finish: new vm state, the guest halts or boots
 *
 * A guest has power, is booted a while later, and then its kubelet talks, unless what ails it forbids. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

#define BOOT_MS_MIN (40 * SEC)
#define BOOT_MS_MAX (90 * SEC)
#define SOFT_REBOOT_WAIT_MS (120 * SEC) /* Nova's wait_soft_reboot_seconds */
#define SHUTDOWN_WAIT_MS (60 * SEC)     /* and its shutdown_timeout, for a guest that does not react */

struct op_step {
	const char *task;
	int64_t ms;
};
static const struct op_step op_steps[][4] = {
	[OP_NONE] = { { NULL, 0 } },
	[OP_BUILD] = { { "scheduling", 2 * SEC }, { "networking", 3 * SEC }, { "spawning", 5 * SEC }, { NULL, 0 } },
	[OP_SOFT] = { { "rebooting", 500 }, { "reboot_pending", 500 }, { "reboot_started", 12 * SEC }, { NULL, 0 } },
	[OP_HARD] = { { "rebooting_hard", 500 },
		      { "reboot_pending_hard", 500 },
		      { "reboot_started_hard", 4 * SEC },
		      { NULL, 0 } },
	[OP_STOP] = { { "powering-off", 2 * SEC }, { NULL, 0 } },
	[OP_START] = { { "powering-on", 2 * SEC }, { NULL, 0 } },
	[OP_REBUILD] = { { "rebuilding", 3 * SEC },
			 { "rebuild_block_device_mapping", 3 * SEC },
			 { "rebuild_spawning", 8 * SEC },
			 { NULL, 0 } },
	[OP_DELETE] = { { "deleting", 5 * SEC }, { NULL, 0 } },
	[OP_MIGRATE] = { { "migrating", 30 * SEC }, { NULL, 0 } },
};

#define LOCAL_DELETE_MS 1000 /* nobody on the compute host is asked */

void server_touch(struct server *s, struct now at)
{
	s->updated = at.wall;
	buf_clear(&s->json);
}

const char *server_status(const struct server *s)
{
	static const char *const names[] = {
		[VM_BUILDING] = "BUILD",  [VM_ACTIVE] = "ACTIVE",         [VM_STOPPED] = "SHUTOFF",
		[VM_ERROR] = "ERROR",     [VM_PAUSED] = "PAUSED",         [VM_SUSPENDED] = "SUSPENDED",
		[VM_RESCUED] = "RESCUE",  [VM_RESIZED] = "VERIFY_RESIZE", [VM_SHELVED] = "SHELVED_OFFLOADED",
		[VM_DELETED] = "DELETED",
	};
	/* From SHUTOFF or ERROR the status stays what it was until the end; only from ACTIVE it shows the operation. */
	if (s->vm == VM_ACTIVE && s->op == OP_SOFT)
		return "REBOOT";
	if (s->vm == VM_ACTIVE && s->op == OP_HARD)
		return "HARD_REBOOT";
	if (s->vm == VM_ACTIVE && s->op == OP_MIGRATE)
		return "MIGRATING";
	if ((s->vm == VM_ACTIVE || s->vm == VM_ERROR) && s->op == OP_REBUILD)
		return "REBUILD";
	return names[s->vm];
}

void server_log(struct world *w, struct now at, struct server *s, const char *action, const char *user)
{
	struct action *entry = &s->actions[s->actions_count++ % ACTIONS_MAX];
	*entry = (struct action){ .name = action, .user = user, .start = at.wall };
	char id[ID_BYTES];
	make_uuid(&w->ids, id);
	(void)snprintf(entry->request_id, sizeof(entry->request_id), "req-%.36s", id);
}

/* ---- the guest ---- */

static bool cures(enum sim_cure cure, enum dose dose)
{
	switch (cure) {
	case CURE_ITSELF:
	case CURE_REBOOT:
		return dose >= DOSE_SOFT;
	case CURE_HARD_REBOOT:
		return dose >= DOSE_HARD;
	case CURE_REPLACE:
		return dose >= DOSE_NEW;
	}
	return false;
}

bool guest_lives(const struct server *s)
{
	return s->is_running && s->is_booted && s->vm != VM_PAUSED && s->vm != VM_SUSPENDED;
}

bool guest_is_reached(const struct world *w, const struct server *s)
{
	bool is_zone_cut = s->member != NULL && s->member->zone != NO_PLACE && w->is_zone_cut[s->member->zone];
	return guest_lives(s) && s->address[0] != '\0' && !s->is_all_cut && !is_zone_cut;
}

static bool is_api_cut(const struct world *w, const struct server *s)
{
	return s->is_cut || (s->member != NULL && s->member->zone != NO_PLACE && w->is_zone_cut[s->member->zone]);
}

void guest_speak(struct world *w, struct now at, struct server *s)
{
	char zone[16] = "";
	if (w->plane != PLANE_WELL)
		return; /* plane_look() has it said when somebody listens again */
	if (s->member != NULL && s->member->zone != NO_PLACE)
		(void)snprintf(zone, sizeof(zone), "zone-%c", 'a' + s->member->zone);
	struct sim_kubelet kubelet = { .name = s->name,
				       .server_id = s->id,
				       .boot_id = s->boot_id,
				       .address = s->address,
				       .node_group = s->group,
				       .is_master = s->is_master,
				       .is_boot = !s->is_introduced,
				       .is_ready = s->is_ready,
				       .zone = zone,
				       .message = s->is_ready
							  ? "kubelet is posting ready status"
							  : "PLEG is not healthy: pleg was last seen active long ago" };
	s->is_introduced = true;
	sim_kube_kubelet(w->kube, at, &kubelet);
}

static void schedule_beat(struct world *w, struct now at, struct server *s, int64_t in_ms)
{
	due_push(&w->due, at.mono.ms + in_ms, EV_BEAT, s, s->guest_epoch);
}

static void settle_kubelet(struct world *w, struct now at, struct server *s)
{
	bool could_talk = guest_lives(s) && s->address[0] != '\0' && !is_api_cut(w, s);
	bool talks = could_talk && !s->is_flipped &&
		     (s->ail == AIL_NONE || s->ail == AIL_NOT_READY || s->ail == AIL_NO_HOST);
	bool ready = talks && s->ail != AIL_NOT_READY;
	bool has_news = talks && (!s->is_talking || ready != s->is_ready);
	if (talks && !s->is_talking) {
		s->guest_epoch++;
		/* A phase of its own, so that not all kubelets write at once. */
		schedule_beat(w, at, s, 1 + (int64_t)rng_below(&w->times, (uint64_t)w->opts.heartbeat_ms));
	}
	if (!talks && s->is_talking) {
		s->guest_epoch++;
		sim_kube_kubelet_alive(w->kube, s->name, false, at);
	}
	s->is_talking = talks;
	s->is_ready = ready;
	if (has_news)
		guest_speak(w, at, s);
	bool is_healthy = ready && s->vm == VM_ACTIVE;
	if (!is_healthy)
		s->healthy_since = (struct mono){ 0 };
	else if (s->healthy_since.ms == 0)
		s->healthy_since = at.mono;
}

void guest_settle(struct world *w, struct now at, struct server *s)
{
	settle_kubelet(w, at, s);
	if (s->is_master)
		plane_look(w, at);
}

void guest_beat(struct world *w, struct now at, struct server *s)
{
	if (!s->is_talking)
		return;
	guest_speak(w, at, s);
	schedule_beat(w, at, s, w->opts.heartbeat_ms);
}

void guest_halt(struct world *w, struct now at, struct server *s)
{
	s->is_running = false;
	s->was_running = false;
	s->is_booted = false;
	s->is_introduced = false;
	guest_settle(w, at, s);
	s->guest_epoch++;
}

void guest_cured(struct world *w, struct now at, struct server *s)
{
	if (s->ail == AIL_KUBELET)
		s->is_introduced = false; /* it is a new process */
	s->ail = AIL_NONE;
	s->is_hung = false;
	s->flips = false;
	s->is_flipped = false;
	s->ail_epoch++;
	guest_settle(w, at, s);
}

void guest_boot(struct world *w, struct now at, struct server *s, enum dose dose)
{
	guest_halt(w, at, s);
	if (s->ail != AIL_NONE && dose != DOSE_NONE && cures(s->cure, dose))
		guest_cured(w, at, s);
	if (s->is_api_dead && dose != DOSE_NONE && cures(s->api_cure, dose)) {
		s->is_api_dead = false;
		s->api_epoch++;
	}
	s->is_running = true;
	make_uuid(&w->ids, s->boot_id);
	int64_t ms = BOOT_MS_MIN + (int64_t)rng_below(&w->times, BOOT_MS_MAX - BOOT_MS_MIN);
	if (w->slow_boots > 0) {
		w->slow_boots--;
		ms += w->slow_boot_ms;
	}
	due_push(&w->due, at.mono.ms + scaled(w, ms), EV_BOOTED, s, s->guest_epoch);
}

void guest_booted(struct world *w, struct now at, struct server *s)
{
	if (s->ail == AIL_SILENT_BOOT)
		return;
	s->is_booted = true;
	bool is_awaited = s->member != NULL && member_awaits(s->member, s);
	guest_settle(w, at, s);
	if (is_awaited)
		member_signals(w, at, s->member, s->ail != AIL_BAD_BOOTSTRAP);
}

void guest_flip(struct world *w, struct now at, struct server *s)
{
	if (!s->flips)
		return;
	s->is_flipped = !s->is_flipped;
	guest_settle(w, at, s);
	due_push(&w->due, at.mono.ms + took(w, 90 * SEC), EV_FLIP, s, s->ail_epoch);
}

/* ---- operations ---- */

static int64_t step_ms(struct world *w, const struct server *s)
{
	const struct op_step *step = &op_steps[s->op][s->op_step];
	if (s->is_hung && s->is_running && s->op == OP_SOFT && strcmp(step->task, "reboot_started") == 0)
		return scaled(w, SOFT_REBOOT_WAIT_MS);
	if (s->is_hung && s->is_running && s->op == OP_STOP)
		return scaled(w, SHUTDOWN_WAIT_MS);
	return took(w, step->ms);
}

static void enter_step(struct world *w, struct now at, struct server *s)
{
	s->task = op_steps[s->op][s->op_step].task;
	bool goes_down = (s->op == OP_SOFT && s->op_step == 2 && !s->is_hung) ||
			 (s->op == OP_HARD && s->op_step == 2) || s->op == OP_REBUILD || s->op == OP_DELETE;
	if (goes_down && s->is_running)
		guest_halt(w, at, s);
	server_touch(s, at);
	bool is_host_down = host_is_down(w, s->host);
	s->is_op_hung = is_host_down && s->op != OP_DELETE;
	if (!s->is_op_hung)
		due_push(&w->due, at.mono.ms + (is_host_down ? scaled(w, LOCAL_DELETE_MS) : step_ms(w, s)), EV_SERVER,
			 s, s->op_epoch);
}

void server_begin(struct world *w, struct now at, struct server *s, enum op op)
{
	s->op = op;
	s->op_step = 0;
	s->op_epoch++;
	if (op == OP_START || op == OP_HARD || op == OP_REBUILD)
		s->is_stopped_by_person = false;
	enter_step(w, at, s);
}

static void finish_build(struct world *w, struct now at, struct server *s)
{
	if (s->ail == AIL_NO_HOST) {
		s->vm = VM_ERROR;
		s->fault = "No valid host was found. There are not enough hosts available.";
		s->faulted = at.wall;
		if (s->member != NULL && s->member->server == s)
			member_build_failed(w, at, s->member);
		return;
	}
	s->vm = VM_ACTIVE;
	s->launched = at.wall;
	if (s->member != NULL && s->member->server == s) {
		(void)TEXT_COPY(s->address, s->member->address);
		member_built(at, s->member);
	}
	guest_boot(w, at, s, DOSE_NONE);
}

static void finish_soft(struct world *w, struct now at, struct server *s)
{
	/* A guest that hangs is rebooted by force at the end; one whose cure is a hard reboot only stands for the case
	 * measured in which the soft reboot fails in the hypervisor: ACTIVE, no fault, and nothing was done. */
	if (s->is_hung && s->ail != AIL_NONE && s->cure == CURE_HARD_REBOOT)
		return;
	guest_boot(w, at, s, s->is_hung ? DOSE_HARD : DOSE_SOFT);
}

/* The image is written anew: what was on the root disk is gone. */
static void finish_rebuild(struct world *w, struct now at, struct server *s)
{
	if (s->is_master && s->member != NULL && !w->opts.with_etcd_volume)
		s->member->has_etcd_data = false;
	s->vm = VM_ACTIVE;
	s->fault = NULL;
	guest_boot(w, at, s, DOSE_NEW);
}

static void finish(struct world *w, struct now at, struct server *s, enum op op)
{
	switch (op) {
	case OP_NONE:
		break;
	case OP_BUILD:
		finish_build(w, at, s);
		break;
	case OP_SOFT:
		finish_soft(w, at, s);
		break;
	case OP_HARD:
	case OP_START:
		s->vm = VM_ACTIVE;
		s->fault = NULL;
		guest_boot(w, at, s, DOSE_HARD);
		break;
	case OP_STOP:
		s->vm = VM_STOPPED;
		guest_halt(w, at, s);
		break;
	case OP_REBUILD:
		finish_rebuild(w, at, s);
		break;
	case OP_MIGRATE:
		host_move(w, s);
		break;
	case OP_DELETE:
		server_gone(w, at, s);
		break;
	}
}

void server_step(struct world *w, struct now at, struct server *s)
{
	s->op_step++;
	if (op_steps[s->op][s->op_step].task != NULL) {
		enter_step(w, at, s);
		return;
	}
	enum op op = s->op;
	s->op = OP_NONE;
	s->task = "";
	server_touch(s, at);
	finish(w, at, s, op);
}

/* ---- birth and death ---- */

static void choose_boot(struct world *w, struct server *s)
{
	if (w->bad_boots <= 0)
		return;
	w->bad_boots--;
	enum sim_boot kind = w->boot_kind;
	if (!w->is_boot_chosen)
		kind = rng_chance(&w->luck, 0.5) ? SIM_BOOT_SILENT : SIM_BOOT_SIGNALS_FAILURE;
	s->cure = CURE_REPLACE;
	switch (kind) {
	case SIM_BOOT_SILENT:
		s->ail = AIL_SILENT_BOOT;
		break;
	case SIM_BOOT_SIGNALS_FAILURE:
		s->ail = AIL_BAD_BOOTSTRAP;
		break;
	case SIM_BOOT_NO_HOST:
		s->ail = AIL_NO_HOST;
		break;
	}
}

struct server *server_new(struct world *w, struct now at, struct member *m)
{
	struct server *s = xcalloc(1, sizeof(*s));
	s->thing.destroy = server_destroy;
	make_uuid(&w->ids, s->id);
	(void)TEXT_COPY(s->name, m->name);
	uint64_t mac = rng_next(&w->ids);
	(void)snprintf(s->mac, sizeof(s->mac), "fa:16:3e:%02x:%02x:%02x", (unsigned)(mac & 255),
		       (unsigned)(mac >> 8 & 255), (unsigned)(mac >> 16 & 255));
	s->is_master = m->is_master;
	s->group = m->is_master ? "default-master" : m->stack == &w->extra ? "extra" : "default-worker";
	s->member = m;
	s->task = "";
	s->created = at.wall;
	buf_init(&s->json, 64 << 10);
	s->host = NO_PLACE;
	host_move(w, s);
	choose_boot(w, s);
	if (s->host == NO_PLACE) {
		s->ail = AIL_NO_HOST;
		s->cure = CURE_REPLACE;
	}
	server_touch(s, at);
	if (w->servers_count == w->servers_room) {
		w->servers_room = w->servers_room > 0 ? w->servers_room * 2 : 16;
		w->servers = xrealloc(w->servers, w->servers_room * sizeof(struct server *));
	}
	w->servers[w->servers_count++] = s;
	map_put(&w->servers_by_id, s->id, s);
	return s;
}

void server_destroy(void *thing)
{
	struct server *s = thing;
	buf_done(&s->json);
	free(s);
}

static void bury(struct world *w, struct server *s)
{
	if (w->gone_count == SERVERS_GONE_MAX) {
		struct server *oldest = w->gone[0];
		w->gone_count--;
		memmove(&w->gone[0], &w->gone[1], w->gone_count * sizeof(struct server *));
		thing_drop(&oldest->thing);
	}
	w->gone[w->gone_count++] = s;
}

void server_gone(struct world *w, struct now at, struct server *s)
{
	size_t i = 0;
	while (w->servers[i] != s)
		i++;
	w->servers_count--;
	memmove(&w->servers[i], &w->servers[i + 1], (w->servers_count - i) * sizeof(struct server *));
	map_remove(&w->servers_by_id, s->id);
	guest_halt(w, at, s);
	s->vm = VM_DELETED;
	s->op = OP_NONE;
	s->task = "";
	s->op_epoch++;
	s->ail_epoch++;
	s->api_epoch++;
	server_touch(s, at);
	for (size_t v = w->volumes_count; s->volumes_count > 0 && v > 0; v--) {
		if (w->volumes[v - 1]->server == s)
			volume_detached(w, w->volumes[v - 1]);
	}
	struct member *m = s->member;
	s->member = NULL;
	if (m != NULL)
		member_lost(w, at, m, s);
	bury(w, s);
}

void server_others(struct server *s, struct now at, bool is_others)
{
	if (is_others == s->is_others)
		return;
	s->is_others = is_others;
	if (is_others)
		s->others_since = at.mono;
	s->others_until = is_others ? (struct mono){ 0 } : at.mono;
}
