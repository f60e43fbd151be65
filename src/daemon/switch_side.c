/* The operator's switches: every replica watches the state ConfigMap from its start, so that a new leader knows them
 * before its first decision. What the switches mean is core/switches.h's business; while they are not seen live,
 * nothing is begun, because whoever cannot see a pause must act as if there were one. */
#include <string.h>

#include "daemon/daemon_int.h"
#include "kube/state_object.h"

bool switch_open(struct daemon *daemon)
{
	daemon->state_object = state_object_new(daemon->namespace, STATE_CONFIGMAP, SWITCHES_KEY, STATE_KEY);
	daemon->switch_reflector = reflector_new_for(state_object_target(daemon->state_object));
	return true;
}

void switch_close(struct daemon *daemon)
{
	if (daemon->switch_watch_id != 0)
		daemon->opts.http->cancel(daemon->opts.http->ctx, daemon->switch_watch_id);
	daemon->switch_watch_id = 0;
	reflector_free(daemon->switch_reflector);
	state_object_free(daemon->state_object);
	daemon->switch_reflector = NULL;
	daemon->state_object = NULL;
}

/* ---- what changed, for the log ----------------------------------------------------------------------------------- */

static bool is_same_thing(const struct pause *a, const struct pause *b)
{
	return a->what == b->what && strcmp(a->name, b->name) == 0;
}

static bool is_same_pause(const struct pause *a, const struct pause *b)
{
	return is_same_thing(a, b) && strcmp(a->reason, b->reason) == 0 && strcmp(a->by, b->by) == 0 &&
	       a->until.ms == b->until.ms;
}

static bool is_over(const struct pause *pause, struct wall now)
{
	return pause->until.ms != 0 && pause->until.ms <= now.ms;
}

typedef bool same_fn(const struct pause *, const struct pause *);

static bool has(const struct switches *switches, const struct pause *wanted, struct wall now, same_fn *is_same)
{
	for (size_t i = 0; i < switches->count; i++) {
		if (is_same(&switches->list[i], wanted) && !is_over(&switches->list[i], now))
			return true;
	}
	return false;
}

static void tell_paused(struct daemon *daemon, const struct pause *pause)
{
	char until[WALL_TEXT_BYTES];
	LOG(daemon->opts.log, LOG_INFO, "switch", "paused", { "what", pause_what_name(pause->what) },
	    { "name", pause->name[0] != '\0' ? pause->name : NULL }, { "by", pause->by[0] != '\0' ? pause->by : NULL },
	    { "reason", pause->reason[0] != '\0' ? pause->reason : NULL },
	    { "until", pause->until.ms != 0 ? wall_format(pause->until, until) : NULL });
}

static void tell_resumed(struct daemon *daemon, const struct pause *pause, const char *why)
{
	LOG(daemon->opts.log, LOG_INFO, "switch", "resumed", { "what", pause_what_name(pause->what) },
	    { "name", pause->name[0] != '\0' ? pause->name : NULL }, { "why", why });
}

static void tell_changes(struct daemon *daemon, const struct switches *before)
{
	const struct switches *after = &daemon->switches;
	struct wall now = fair_now(daemon).wall;
	if (after->is_garbled) {
		LOG(daemon->opts.log, LOG_ERROR, "switch",
		    "the pauses are not understood, so everything is paused: correct " SWITCHES_KEY
		    " of the ConfigMap " STATE_CONFIGMAP ", or take that key away to resume",
		    { "namespace", daemon->namespace }, { "why", after->trouble });
		return;
	}
	if (before->is_garbled)
		LOG(daemon->opts.log, LOG_INFO, "switch", "the pauses are understood again");
	for (size_t i = 0; i < before->count; i++) {
		if (!is_over(&before->list[i], now) && !has(after, &before->list[i], now, is_same_thing))
			tell_resumed(daemon, &before->list[i], "the pause was taken away");
	}
	for (size_t i = 0; i < after->count; i++) {
		if (!is_over(&after->list[i], now) && !has(before, &after->list[i], now, is_same_pause))
			tell_paused(daemon, &after->list[i]);
	}
}

/* A pause whose end came since this was last looked at. */
static void tell_ends(struct daemon *daemon)
{
	struct wall now = fair_now(daemon).wall;
	for (size_t i = 0; i < daemon->switches.count; i++) {
		const struct pause *pause = &daemon->switches.list[i];
		if (is_over(pause, now) && !is_over(pause, daemon->pauses_told))
			tell_resumed(daemon, pause, "its time is over");
	}
	daemon->pauses_told = now;
}

static void take_in(struct daemon *daemon)
{
	if (daemon->switches_seen == state_object_changes(daemon->state_object))
		return;
	daemon->switches_seen = state_object_changes(daemon->state_object);
	struct switches before = daemon->switches;
	if (state_object_is_too_long(daemon->state_object)) {
		daemon->switches = (struct switches){ .is_garbled = true };
		(void)TEXT_COPY(daemon->switches.trouble, "it has more than 64 KiB");
	} else {
		/* What is not understood says so itself (is_garbled). */
		(void)switches_read(state_object_text(daemon->state_object), &daemon->switches, NULL);
	}
	tell_changes(daemon, &before);
}

/* ---- the view ---------------------------------------------------------------------------------------------------- */

bool switch_is_fresh(const struct daemon *daemon)
{
	return reflector_is_fresh(daemon->switch_reflector, daemon->now);
}

/* Once per change: why nothing is done has to be told. */
static void tell_view(struct daemon *daemon)
{
	bool is_fresh = switch_is_fresh(daemon);
	if (!is_fresh && reflector_refusal(daemon->switch_reflector) == 403 && !daemon->is_switch_refusal_told) {
		daemon->is_switch_refusal_told = true;
		LOG(daemon->opts.log, LOG_ERROR, "switch",
		    "the pauses may not be read, so nothing is repaired: this account needs get, list and watch of the "
		    "ConfigMap " STATE_CONFIGMAP,
		    { "namespace", daemon->namespace }, { "why", reflector_trouble(daemon->switch_reflector) });
	}
	if (is_fresh == daemon->was_switch_fresh)
		return;
	daemon->was_switch_fresh = is_fresh;
	if (is_fresh)
		daemon->is_switch_refusal_told = false;
	LOG(daemon->opts.log, is_fresh ? LOG_INFO : LOG_WARN, "switch",
	    is_fresh ? "the pauses are seen live" : "the pauses are not seen live; nothing is begun until they are",
	    { "pauses", arena_printf(&daemon->arena, "%zu", daemon->switches.count) },
	    { "why", is_fresh ? NULL : reflector_trouble(daemon->switch_reflector) });
}

void switch_turn(struct daemon *daemon)
{
	kube_watch(daemon, daemon->switch_reflector, &daemon->switch_watch_id, &daemon->switch_way);
	take_in(daemon);
	tell_ends(daemon);
	tell_view(daemon);
}

int64_t switch_due_ms(const struct daemon *daemon)
{
	int64_t due_ms = daemon->switch_watch_id == 0 && daemon->is_kube_ready
				 ? reflector_due(daemon->switch_reflector).ms
				 : NEVER;
	struct now now = fair_now(daemon);
	for (size_t i = 0; i < daemon->switches.count; i++) {
		int64_t left_ms = daemon->switches.list[i].until.ms - now.wall.ms;
		if (left_ms > 0 && due_ms > now.mono.ms + left_ms)
			due_ms = now.mono.ms + left_ms;
	}
	return due_ms;
}

/* ---- its answers; called back from the port -----------------------------------------------------------------------
 */

bool switch_head(struct daemon *daemon, uint64_t id, const struct http_answer *answer)
{
	if (id != daemon->switch_watch_id)
		return false;
	kube_watch_heard(&daemon->switch_way, answer);
	reflector_head(daemon->switch_reflector, answer);
	return true;
}

bool switch_bytes(struct daemon *daemon, uint64_t id, struct str chunk)
{
	if (id != daemon->switch_watch_id)
		return false;
	reflector_bytes(daemon->switch_reflector, chunk);
	return true;
}

bool switch_done(struct daemon *daemon, uint64_t id, const struct http_answer *answer)
{
	if (id != daemon->switch_watch_id)
		return false;
	daemon->switch_watch_id = 0;
	kube_watch_heard(&daemon->switch_way, answer);
	reflector_done(daemon->switch_reflector, answer);
	return true;
}
