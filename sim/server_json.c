/* How Nova shows a server. Rendered once per change: most requests only look. */
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

void wall_json(struct buf *out, const char *key, struct wall wall)
{
	char text[WALL_TEXT_BYTES];
	if (wall.ms == 0)
		(void)buf_printf(out, "\"%s\": null", key);
	else
		(void)buf_printf(out, "\"%s\": \"%s\"", key, wall_format(wall, text));
}

const char *server_vm_state(const struct server *s)
{
	static const char *const names[] = {
		[VM_BUILDING] = "building", [VM_ACTIVE] = "active",   [VM_STOPPED] = "stopped",
		[VM_ERROR] = "error",       [VM_PAUSED] = "paused",   [VM_SUSPENDED] = "suspended",
		[VM_RESCUED] = "rescued",   [VM_RESIZED] = "resized", [VM_SHELVED] = "shelved_offloaded",
		[VM_DELETED] = "deleted",
	};
	return names[s->vm];
}

static int power_state(const struct server *s)
{
	if (s->vm == VM_PAUSED)
		return 3;
	/* Of a dead host Nova knows only what was last said. */
	return s->is_running || s->was_running ? 1 : s->vm == VM_STOPPED ? 4 : 0;
}

static void addresses_json(struct buf *out, const struct server *s)
{
	if (s->address[0] == '\0')
		(void)buf_text(out, "\"addresses\": {}");
	else
		(void)buf_printf(out,
				 "\"addresses\": {\"k8s\": [{\"version\": 4, \"addr\": \"%s\", "
				 "\"OS-EXT-IPS:type\": \"fixed\", \"OS-EXT-IPS-MAC:mac_addr\": \"%s\"}]}",
				 s->address, s->mac);
}

static void state_json(struct buf *out, const struct server *s)
{
	(void)buf_printf(out, ", \"OS-EXT-STS:vm_state\": \"%s\", \"OS-EXT-STS:task_state\": ", server_vm_state(s));
	(void)buf_printf(out, s->task[0] != '\0' ? "\"%s\"" : "null%s", s->task);
	(void)buf_printf(out, ", \"OS-EXT-STS:power_state\": %d, ", power_state(s));
}

static void fault_json(struct buf *out, const struct server *s)
{
	if (s->fault == NULL || s->vm != VM_ERROR)
		return;
	(void)buf_text(out, ", \"fault\": {\"code\": 500, ");
	wall_json(out, "created", s->faulted);
	(void)buf_text(out, ", \"message\": ");
	(void)buf_json(out, s->fault);
	(void)buf_text(out, "}");
}

static void version_json(struct buf *out, const struct server *s, int microversion)
{
	if (microversion >= 247)
		(void)buf_text(
			out, ", \"flavor\": {\"vcpus\": 2, \"ram\": 4096, \"disk\": 20, \"ephemeral\": 0, \"swap\": 0, "
			     "\"original_name\": \"m1.medium\", \"extra_specs\": {}}");
	else
		(void)buf_text(out, ", \"flavor\": {\"id\": \"3\", \"links\": []}");
	if (microversion >= 209)
		(void)buf_printf(out, ", \"locked\": %s", s->is_locked ? "true" : "false");
	if (microversion >= 226)
		(void)buf_text(out, ", \"tags\": []");
	if (microversion >= 273)
		(void)buf_text(out, ", \"locked_reason\": null");
}

static int variant_of(int microversion)
{
	static const int steps[] = { 273, 247, 226, 209 };
	for (size_t i = 0; i < COUNT(steps); i++) {
		if (microversion >= steps[i])
			return steps[i];
	}
	return 201;
}

static void volumes_json(struct buf *out, const struct world *w, const struct server *s)
{
	(void)buf_text(out, ", \"os-extended-volumes:volumes_attached\": [");
	unsigned left = s->volumes_count;
	for (size_t i = 0; left > 0 && i < w->volumes_count; i++) {
		if (w->volumes[i]->server == s)
			(void)buf_printf(out, "{\"id\": \"%s\"}%s", w->volumes[i]->id, --left > 0 ? ", " : "");
	}
	(void)buf_char(out, ']');
}

/* A hash of the host and the project: tells only which servers share one. */
static void host_id(const struct server *s, char out[57])
{
	uint64_t hash = UINT64_C(1469598103934665603) ^ (uint64_t)(int64_t)s->host;
	out[0] = '\0';
	if (s->host == NO_PLACE)
		return;
	for (size_t i = 0; i < 56; i++) {
		hash = (hash ^ (hash >> 29) ^ i) * UINT64_C(0xbf58476d1ce4e5b9);
		out[i] = "0123456789abcdef"[hash >> 60];
	}
	out[56] = '\0';
}

/* Without a zone, as Nova writes these two. */
static void usage_json(struct buf *out, const struct server *s)
{
	char text[WALL_TEXT_BYTES];
	if (s->launched.ms == 0) {
		(void)buf_text(out, ", \"OS-SRV-USG:launched_at\": null, \"OS-SRV-USG:terminated_at\": null");
		return;
	}
	size_t n = strlen(wall_format_micro(s->launched, text));
	text[n > 0 && text[n - 1] == 'Z' ? n - 1 : n] = '\0';
	(void)buf_printf(out, ", \"OS-SRV-USG:launched_at\": \"%s\", \"OS-SRV-USG:terminated_at\": null", text);
}

static void place_json(struct buf *out, const struct world *w, const struct server *s)
{
	char hash[57];
	char zone[16] = "nova";
	host_id(s, hash);
	if (s->member != NULL && s->member->zone != NO_PLACE)
		(void)snprintf(zone, sizeof(zone), "zone-%c", 'a' + s->member->zone);
	(void)buf_printf(out, "\"hostId\": \"%s\", \"OS-EXT-AZ:availability_zone\": \"%s\", \"image\": ", hash, zone);
	(void)buf_text(out, w->opts.with_volume_boot ? "\"\"" : "{\"id\": \"7d0c1b2a-3e4f-4a5b-8c6d-9e0f1a2b3c4d\"}");
	usage_json(out, s);
}

static void render(struct buf *out, const struct world *w, const struct server *s, int microversion)
{
	(void)buf_printf(out, "{\"id\": \"%s\", \"name\": \"%s\", \"status\": \"%s\", ", s->id, s->name,
			 server_status(s));
	addresses_json(out, s);
	state_json(out, s);
	wall_json(out, "created", s->created);
	(void)buf_text(out, ", ");
	wall_json(out, "updated", s->updated);
	(void)buf_printf(out, ", \"tenant_id\": \"%s\", \"user_id\": \"%s\", ", SIM_PROJECT_ID, SIM_USER_ID);
	place_json(out, w, s);
	(void)buf_text(out, ", \"metadata\": {}, \"config_drive\": \"\", \"key_name\": \"demo\", "
			    "\"security_groups\": [{\"name\": \"k8s\"}]");
	volumes_json(out, w, s);
	version_json(out, s, microversion);
	fault_json(out, s);
	(void)buf_char(out, '}');
}

void server_json(struct buf *out, const struct world *w, struct server *s, int microversion)
{
	int variant = variant_of(microversion);
	if (s->json.n == 0 || s->json_variant != variant) {
		buf_clear(&s->json);
		render(&s->json, w, s, variant);
		s->json_variant = variant;
	}
	(void)buf_add(out, s->json.p, s->json.n);
}
