/* Nova: servers, what was done to them, their volumes. */
#include "cloud/openstack/nova.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/jsonx.h"

#define PATH_BYTES_MAX 2048

/* "/servers/ID" + tail, the id percent-encoded. */
static const char *server_path(struct arena *arena, const char *id, const char *tail)
{
	struct buf b;
	buf_init(&b, PATH_BYTES_MAX);
	(void)(buf_text(&b, "/servers/") && buf_urlencode(&b, id) && buf_text(&b, tail));
	const char *path = arena_strdup(arena, buf_cstr(&b));
	buf_done(&b);
	return path;
}

static void get(struct ask *out, const char *path)
{
	*out = (struct ask){ .kind = ASK_CLOUD, .service = SERVICE_COMPUTE, .method = "GET", .path = path };
}

void nova_servers(struct arena *arena, const char *marker, struct ask *out)
{
	struct buf b;
	buf_init(&b, PATH_BYTES_MAX);
	(void)buf_printf(&b, "/servers/detail?limit=%d", NOVA_PAGE);
	if (marker[0] != '\0')
		(void)(buf_text(&b, "&marker=") && buf_urlencode(&b, marker));
	get(out, arena_strdup(arena, buf_cstr(&b)));
	buf_done(&b);
}

/* ?name= is a regular expression that may match anywhere: it is anchored, and dots are made literal. */
static void list_named(struct arena *arena, const char *prefix, const char *rest, struct ask *out)
{
	struct buf regex;
	struct buf b;
	buf_init(&regex, PATH_BYTES_MAX);
	buf_init(&b, 3 * PATH_BYTES_MAX);
	(void)buf_char(&regex, '^');
	for (const char *c = prefix; *c != '\0'; c++)
		(void)((isalnum((unsigned char)*c) || *c == '-' || *c == '_' || buf_char(&regex, '\\')) &&
		       buf_char(&regex, *c));
	(void)buf_text(&regex, rest);
	(void)(buf_printf(&b, "/servers/detail?limit=%d&name=", NOVA_PAGE) && buf_urlencode(&b, buf_cstr(&regex)));
	get(out, arena_strdup(arena, buf_cstr(&b)));
	buf_done(&regex);
	buf_done(&b);
}

void nova_servers_named(struct arena *arena, const char *prefix, struct ask *out)
{
	list_named(arena, prefix, "[0-9]+$", out);
}

void nova_servers_called(struct arena *arena, const char *name, struct ask *out)
{
	list_named(arena, name, "$", out);
}

void nova_server(struct arena *arena, const char *id, struct ask *out)
{
	get(out, server_path(arena, id, ""));
}

void nova_action(struct arena *arena, const char *id, const char *body, struct ask *out)
{
	get(out, server_path(arena, id, "/action"));
	out->method = "POST";
	out->body = body;
	out->is_act = true;
}

void nova_actions(struct arena *arena, const char *id, struct ask *out)
{
	get(out, server_path(arena, id, "/os-instance-actions"));
}

void nova_attachments(struct arena *arena, const char *id, struct ask *out)
{
	get(out, server_path(arena, id, "/os-volume_attachments"));
}

void nova_detach(struct arena *arena, const char *id, const char *volume, struct ask *out)
{
	struct buf b;
	buf_init(&b, PATH_BYTES_MAX);
	(void)(buf_text(&b, "/os-volume_attachments/") && buf_urlencode(&b, volume));
	get(out, server_path(arena, id, buf_cstr(&b)));
	out->method = "DELETE";
	out->is_act = true;
	buf_done(&b);
}

/* ---- servers --------------------------------------------------------------------------------------------------- */

static void read_addresses(const json_t *networks, struct machine *out)
{
	size_t n = 0;
	const char *name;
	json_t *list;
	json_object_foreach((json_t *)networks, name, list) {
		size_t i;
		json_t *address;
		json_array_foreach(list, i, address) {
			const char *type = json_text_or(address, "OS-EXT-IPS:type", "fixed");
			const char *text = json_text_or(address, "addr", "");
			if (n < COUNT(out->addresses) && strcmp(type, "fixed") == 0 && text[0] != '\0' &&
			    TEXT_COPY(out->addresses[n], text))
				n++;
		}
	}
}

/* As much of a text as fits, ending between two characters. */
static void copy_cut(char *out, size_t bytes, const char *text)
{
	size_t n = strlen(text);
	if (n >= bytes) {
		n = bytes - 1;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(out, text, n);
	out[n] = '\0';
}

/* Masakari's word for "look after this one too", in whatever case and manner people write it. */
static bool is_yes(const char *text)
{
	return strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 || strcmp(text, "1") == 0;
}

bool nova_machine(const json_t *server, struct machine *out)
{
	struct machine m = { .is_locked = json_bool(server, "locked", false),
			     .has_ha = is_yes(json_text_or(server, "metadata.HA_Enabled", "")) };
	const char *id = json_text_or(server, "id", "");
	const char *status = json_text_or(server, "status", "");
	if (id[0] == '\0' || status[0] == '\0' || !TEXT_COPY(m.id, id) || !TEXT_COPY(m.status, status))
		return false;
	(void)TEXT_COPY(m.host_id, json_text_or(server, "hostId", "")); /* "" while it has no host; else 56 digits */
	/* A name or a state that does not fit is another one than ours, which "" and "?" say. */
	(void)TEXT_COPY(m.name, json_text_or(server, "name", ""));
	if (!TEXT_COPY(m.task_state, json_text_or(server, "OS-EXT-STS:task_state", "")))
		(void)TEXT_COPY(m.task_state, "?");
	copy_cut(m.fault, sizeof m.fault, json_text_or(server, "fault.message", ""));
	int64_t power = json_int(server, "OS-EXT-STS:power_state", 0);
	m.power_state = power >= 0 && power < 16 ? (int)power : 0;
	if (!wall_parse(str_of(json_text_or(server, "created", "")), &m.created))
		m.created = (struct wall){ 0 };
	read_addresses(json_object_get(server, "addresses"), &m);
	*out = m;
	return true;
}

/* Nova adds a link "next" whenever it cut the list, also where an operator lowered its limit below ours. */
bool nova_has_next_page(const json_t *page)
{
	size_t i;
	json_t *link;
	json_array_foreach(json_object_get(page, "servers_links"), i, link) {
		if (text_eq(json_text(link, "rel"), "next"))
			return true;
	}
	return json_count(page, "servers") >= NOVA_PAGE;
}

bool nova_is_deleted(const struct machine *m)
{
	return strcmp(m->status, "DELETED") == 0 || strcmp(m->status, "SOFT_DELETED") == 0;
}

int nova_name_index(const char *name, size_t *out_prefix_bytes)
{
	size_t n = strlen(name);
	size_t at = n;
	int index = 0;
	while (at > 0 && isdigit((unsigned char)name[at - 1]))
		at--;
	if (at == n || at == 0 || n - at > 8)
		return -1;
	for (size_t i = at; i < n; i++)
		index = index * 10 + (name[i] - '0');
	*out_prefix_bytes = at;
	return index;
}

/* ---- what was done to a server --------------------------------------------------------------------------------- */

static struct wall action_time(const json_t *action)
{
	struct wall at = { 0 };
	(void)wall_parse(str_of(json_text_or(action, "start_time", "")), &at); /* unreadable: as old as can be */
	return at;
}

/* The newest of the list that is wanted; NULL: none. Of two at the same time the first counts: Nova lists the newest
 * first. */
static const json_t *newest(const json_t *actions, bool (*is_wanted)(const json_t *action))
{
	const json_t *found = NULL;
	struct wall found_at = { -1 };
	size_t i;
	json_t *action;
	json_array_foreach(actions, i, action) {
		struct wall at = action_time(action);
		if (at.ms > found_at.ms && is_wanted(action)) {
			found = action;
			found_at = at;
		}
	}
	return found;
}

static bool has_request_id(const json_t *action)
{
	return json_text_or(action, "request_id", "")[0] != '\0';
}

bool nova_newest_action(const json_t *list, char *out_request_id, size_t bytes)
{
	const json_t *actions = json_object_get(list, "instanceActions");
	if (!json_is_array(actions))
		return false;
	return text_copy(out_request_id, bytes, json_text_or(newest(actions, has_request_id), "request_id", "none"));
}

bool nova_acted_since(const json_t *list, const char *request_id, const char *action)
{
	const json_t *actions = json_object_get(list, "instanceActions");
	struct wall since = { -1 };
	size_t i;
	json_t *entry;
	json_array_foreach(actions, i, entry) {
		if (text_eq(json_text(entry, "request_id"), request_id))
			since = action_time(entry);
	}
	json_array_foreach(actions, i, entry) {
		if (text_eq(json_text(entry, "action"), action) &&
		    !text_eq(json_text(entry, "request_id"), request_id) && action_time(entry).ms >= since.ms)
			return true;
	}
	return false;
}

static bool is_power_act(const json_t *action)
{
	const char *name = json_text_or(action, "action", "");
	static const char *const names[] = { "create",     "start",      "stop",         "reboot",        "rebuild",
					     "evacuate",   "resize",     "migrate",      "confirmResize", "pause",
					     "unpause",    "suspend",    "resume",       "shelve",        "unshelve",
					     "rescue",     "unrescue",   "revertResize", "delete",        "restore",
					     "softDelete", "forceDelete" };
	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

bool nova_newest_power(const json_t *list, struct power_act *out)
{
	const json_t *actions = json_object_get(list, "instanceActions");
	if (!json_is_array(actions))
		return false;
	const json_t *action = newest(actions, is_power_act);
	*out = (struct power_act){ 0 };
	(void)TEXT_COPY(out->action, json_text_or(action, "action", "")); /* one of those above: it fits */
	copy_cut(out->user, sizeof out->user, json_text_or(action, "user_id", ""));
	copy_cut(out->at, sizeof out->at, json_text_or(action, "start_time", ""));
	return true;
}

/* ---- volumes --------------------------------------------------------------------------------------------------- */

static const char *volume_of(const json_t *attachment)
{
	return json_text_or(attachment, "volumeId", "");
}

/* The server's own name of its root device is shown to administrators only. It is the first disk of its bus, and no
 * data volume ever gets that name, on image-booted servers neither. A volume that dies with the server is part of it as
 * well. */
static bool is_root(const json_t *attachment)
{
	static const char *const roots[] = { "/dev/vda", "/dev/sda", "/dev/hda", "/dev/xvda" };
	const char *device = json_text_or(attachment, "device", "");
	for (size_t i = 0; i < COUNT(roots); i++) {
		if (strcmp(device, roots[i]) == 0)
			return true;
	}
	return json_bool(attachment, "delete_on_termination", false);
}

const char *nova_data_volume(const json_t *list)
{
	size_t i;
	json_t *attachment;
	json_array_foreach(json_object_get(list, "volumeAttachments"), i, attachment) {
		const char *volume = volume_of(attachment);
		if (!is_root(attachment) && volume[0] != '\0' && strlen(volume) < SERVER_ID_BYTES)
			return volume;
	}
	return NULL;
}

bool nova_has_volume(const json_t *list, const char *volume)
{
	size_t i;
	json_t *attachment;
	json_array_foreach(json_object_get(list, "volumeAttachments"), i, attachment) {
		if (strcmp(volume_of(attachment), volume) == 0)
			return true;
	}
	return false;
}
