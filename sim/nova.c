/* Nova: servers, actions, instance actions, volume attachments; bodies and refusals as measured. */
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

#define MICROVERSION_MAX 303 /* 2.103 */

static void headers(struct call *c)
{
	char version[16];
	struct buf *out = &c->out->headers;
	(void)snprintf(version, sizeof(version), "2.%d\n", c->microversion - 200);
	(void)buf_text(out, "openstack-api-version: compute ");
	(void)buf_text(out, version);
	(void)buf_text(out, "x-openstack-nova-api-version: ");
	(void)buf_text(out, version);
	(void)buf_text(out, "vary: OpenStack-API-Version, X-OpenStack-Nova-API-Version\n");
}

/* "2.79" → 279; "latest"; -1 for nonsense. */
static int parse_version(const char *text)
{
	unsigned minor = 0;
	int end = 0;
	if (strcmp(text, "latest") == 0)
		return MICROVERSION_MAX;
	if (sscanf(text, "2.%3u%n", &minor, &end) != 1 || text[end] != '\0')
		return -1;
	return 200 + (int)minor;
}

static bool negotiate(struct call *c)
{
	const char *text = request_header(c->req, "openstack-api-version");
	text = text_starts(text, "compute ") ? text + 8 : request_header(c->req, "x-openstack-nova-api-version");
	c->microversion = text[0] == '\0' ? 201 : parse_version(text);
	if (c->microversion >= 201 && c->microversion <= MICROVERSION_MAX)
		return true;
	(void)buf_printf(&c->out->body,
			 "{\"computeFault\": {\"code\": 406, \"message\": \"Version %.20s is not supported by the API. "
			 "Minimum is "
			 "2.1 and maximum is 2.103.\"}}",
			 text);
	answer_json(c->out, 406);
	return false;
}

static bool is_refused_to_reader(struct call *c, const char *policy)
{
	if (!c->token->is_reader)
		return false;
	char text[160];
	(void)snprintf(text, sizeof(text), "Policy doesn't allow os_compute_api:%s to be performed.", policy);
	call_error(c, 403, text);
	return true;
}

/* ---- lists ---- */

struct filter {
	regex_t name;
	bool has_name;
	char status[24];
	struct wall since;
	size_t limit;
	char marker[ID_BYTES];
};

static bool filter_init(struct call *c, struct filter *f)
{
	char text[NAME_BYTES];
	*f = (struct filter){ .limit = 1000 };
	(void)call_query(c, "status", f->status, sizeof(f->status));
	(void)call_query(c, "marker", f->marker, sizeof(f->marker));
	if (call_query(c, "limit", text, sizeof(text)) && atoi(text) > 0 && (size_t)atoi(text) < f->limit)
		f->limit = (size_t)atoi(text);
	if (call_query(c, "changes-since", text, sizeof(text)) && !wall_parse(str_of(text), &f->since)) {
		call_error(c, 400, "Invalid input for query parameters changes-since.");
		return false;
	}
	if (!call_query(c, "name", text, sizeof(text)))
		return true;
	f->has_name = regcomp(&f->name, text, REG_EXTENDED | REG_NOSUB) == 0;
	if (!f->has_name)
		call_error(c, 400, "Invalid input for query parameters name.");
	return f->has_name;
}

static bool is_listed(const struct filter *f, const struct server *s)
{
	return (!f->has_name || regexec(&f->name, s->name, 0, NULL, 0) == 0) &&
	       (f->status[0] == '\0' || strcmp(server_status(s), f->status) == 0) &&
	       (f->since.ms == 0 || s->updated.ms >= f->since.ms);
}

static void entry_json(struct call *c, struct server *s, bool is_detail)
{
	if (is_detail)
		server_json(&c->out->body, c->w, s, c->microversion);
	else
		(void)buf_printf(&c->out->body, "{\"id\": \"%s\", \"name\": \"%s\"}", s->id, s->name);
}

/* i counts the newest first, as Nova sorts, and then the deleted ones. */
static struct server *nth(const struct world *w, size_t i)
{
	if (i < w->servers_count)
		return w->servers[w->servers_count - 1 - i];
	return w->gone[w->gone_count - 1 - (i - w->servers_count)];
}

static void list(struct call *c, bool is_detail)
{
	struct filter f;
	if (!filter_init(c, &f))
		return;
	const struct world *w = c->w;
	size_t count = w->servers_count + (f.since.ms != 0 ? w->gone_count : 0);
	size_t shown = 0;
	struct server *last = NULL;
	bool is_after = f.marker[0] == '\0';
	(void)buf_text(&c->out->body, "{\"servers\": [");
	for (size_t i = 0; i < count && shown < f.limit; i++) {
		struct server *s = nth(w, i);
		if (is_after && is_listed(&f, s)) {
			if (shown++ > 0)
				(void)buf_text(&c->out->body, ", ");
			entry_json(c, s, is_detail);
			last = s;
		}
		is_after = is_after || strcmp(s->id, f.marker) == 0;
	}
	(void)buf_char(&c->out->body, ']');
	if (shown == f.limit && last != NULL)
		(void)buf_printf(&c->out->body,
				 ", \"servers_links\": [{\"rel\": \"next\", \"href\": "
				 "\"%s/compute/v2.1/servers%s?limit=%zu&marker=%s\"}]",
				 w->base_url, is_detail ? "/detail" : "", f.limit, last->id);
	(void)buf_char(&c->out->body, '}');
	answer_json(c->out, 200);
	if (f.has_name)
		regfree(&f.name);
}

/* ---- actions ---- */

#define IN(vm) (1u << (vm))
static const struct verb {
	const char *name;   /* in "Cannot 'NAME' instance" */
	const char *logged; /* among the instance actions */
	const char *policy;
	enum op op;
	unsigned from;    /* vm states */
	bool over_reboot; /* accepted while a reboot is under way, too */
	enum sim_act_kind act;
} verbs[] = {
	{ "reboot", "reboot", "servers:reboot", OP_SOFT, IN(VM_ACTIVE), false, ACT_REBOOT_SOFT },
	{ "reboot", "reboot", "servers:reboot", OP_HARD,
	  IN(VM_ACTIVE) | IN(VM_STOPPED) | IN(VM_ERROR) | IN(VM_PAUSED) | IN(VM_SUSPENDED), true, ACT_REBOOT_HARD },
	{ "stop", "stop", "servers:stop", OP_STOP, IN(VM_ACTIVE) | IN(VM_ERROR) | IN(VM_RESCUED), false, ACT_STOP },
	{ "start", "start", "servers:start", OP_START, IN(VM_STOPPED), false, ACT_START },
	{ "rebuild", "rebuild", "servers:rebuild", OP_REBUILD, IN(VM_ACTIVE) | IN(VM_STOPPED) | IN(VM_ERROR), false,
	  ACT_REBUILD },
	{ "delete", "delete", "servers:delete", OP_DELETE, ~0u, true, ACT_DELETE_SERVER },
};
enum { VERB_SOFT, VERB_HARD, VERB_STOP, VERB_START, VERB_REBUILD, VERB_DELETE };

static bool is_rebooting(const struct server *s)
{
	/* Once a hard reboot has begun, a second one is refused. */
	return s->op == OP_SOFT || (s->op == OP_HARD && s->op_step == 0);
}

/* Empty: go ahead. */
static void refusal(const struct server *s, const struct verb *verb, char out[200])
{
	out[0] = '\0';
	if (s->is_locked)
		(void)snprintf(out, 200, "Instance %s is locked", s->id);
	else if ((verb->from & IN(s->vm)) == 0)
		(void)snprintf(out, 200, "Cannot '%s' instance %s while it is in vm_state %s", verb->name, s->id,
			       server_vm_state(s));
	else if (s->task[0] != '\0' && verb->op != OP_DELETE && !(verb->over_reboot && is_rebooting(s)))
		(void)snprintf(out, 200, "Cannot '%s' instance %s while it is in task_state %s", verb->name, s->id,
			       s->task);
}

static bool act(struct call *c, struct server *s, const struct verb *verb)
{
	char why[200];
	if (is_refused_to_reader(c, verb->policy)) {
		tell(c->w, c->now, verb->act, c->req->client, s->id, s->name, 403);
		return false;
	}
	refusal(s, verb, why);
	int status = why[0] != '\0' ? 409 : verb->op == OP_DELETE ? 204 : 202;
	tell(c->w, c->now, verb->act, c->req->client, s->id, s->name, status);
	if (status == 409) {
		call_error(c, 409, why);
		return false;
	}
	server_log(c->w, c->now, s, verb->logged, SIM_USER_ID);
	server_begin(c->w, c->now, s, verb->op);
	c->out->status = status;
	return true;
}

static void rebuild(struct call *c, struct server *s, const json_t *what)
{
	if (json_text(what, "imageRef") == NULL) {
		call_error(c, 400, "Invalid input for field/attribute rebuild. 'imageRef' is a required property");
		return;
	}
	if (!act(c, s, &verbs[VERB_REBUILD]))
		return;
	(void)buf_text(&c->out->body, "{\"server\": ");
	server_json(&c->out->body, c->w, s, c->microversion);
	c->out->body.n--; /* the password goes inside the object */
	(void)buf_text(&c->out->body, ", \"adminPass\": \"x7kQpT2mWvZa\"}}");
	answer_json(c->out, 202);
	(void)buf_printf(&c->out->headers, "location: %s/compute/v2.1/servers/%s\n", c->w->base_url, s->id);
}

static void console(struct call *c, const struct server *s, const json_t *what)
{
	static const char *const lines[] = { "[  OK  ] Reached target Multi-User System.", "login: " };
	(void)what;
	(void)buf_text(&c->out->body, "{\"output\": \"");
	if (s->ail == AIL_KUBELET && s->is_hung)
		(void)buf_text(&c->out->body, "INFO: task kubelet:812 blocked for more than 120 seconds.\\n");
	for (size_t i = 0; s->is_booted && i < COUNT(lines); i++)
		(void)buf_printf(&c->out->body, "%s\\n", lines[i]);
	(void)buf_text(&c->out->body, "\"}");
	answer_json(c->out, 200);
}

static void reboot(struct call *c, struct server *s, const json_t *what)
{
	const char *type = json_text(what, "type");
	if (text_eq(type, "SOFT") || text_eq(type, "HARD"))
		(void)act(c, s, &verbs[strcmp(type, "HARD") == 0 ? VERB_HARD : VERB_SOFT]);
	else
		call_error(c, 400, "Invalid input for field/attribute type. Value should be one of: HARD, SOFT");
}

static void action(struct call *c, struct server *s)
{
	CLEANUP(json_decrefp) json_t *body = call_body(c);
	if (!json_is_object(body) || json_object_size(body) != 1) {
		call_error(c, 400, "There is no such action: None");
		return;
	}
	const char *name = json_object_iter_key(json_object_iter(body));
	const json_t *what = json_object_get(body, name);
	if (strcmp(name, "reboot") == 0)
		reboot(c, s, what);
	else if (strcmp(name, "os-stop") == 0)
		(void)act(c, s, &verbs[VERB_STOP]);
	else if (strcmp(name, "os-start") == 0)
		(void)act(c, s, &verbs[VERB_START]);
	else if (strcmp(name, "rebuild") == 0)
		rebuild(c, s, what);
	else if (strcmp(name, "forceDelete") == 0)
		c->out->status = act(c, s, &verbs[VERB_DELETE]) ? 202 : c->out->status;
	else if (strcmp(name, "os-getConsoleOutput") == 0)
		console(c, s, what);
	else if (strcmp(name, "os-resetState") == 0)
		call_error(c, 403, "Policy doesn't allow os_compute_api:os-admin-actions:reset_state to be performed.");
	else
		call_error(c, 400, "There is no such action.");
}

static void instance_actions(struct call *c, const struct server *s)
{
	struct buf *out = &c->out->body;
	size_t kept = s->actions_count < ACTIONS_MAX ? s->actions_count : ACTIONS_MAX;
	(void)buf_text(out, "{\"instanceActions\": [");
	for (size_t i = 0; i < kept; i++) {
		const struct action *a = &s->actions[(s->actions_count - 1 - i) % ACTIONS_MAX];
		char text[WALL_TEXT_BYTES];
		size_t n = strlen(wall_format_micro(a->start, text));
		text[n > 0 && text[n - 1] == 'Z' ? n - 1 : n] = '\0'; /* Nova leaves the zone out here */
		(void)buf_printf(out,
				 "%s{\"action\": \"%s\", \"instance_uuid\": \"%s\", \"request_id\": \"%s\", "
				 "\"user_id\": \"%s\", "
				 "\"project_id\": \"" SIM_PROJECT_ID "\", \"start_time\": \"%s\", \"message\": null}",
				 i > 0 ? ", " : "", a->name, s->id, a->request_id, a->user, text);
	}
	(void)buf_text(out, "]}");
	answer_json(c->out, 200);
}

/* ---- volume attachments ---- */

static void attachment_json(const struct call *c, struct buf *out, const struct volume *v)
{
	(void)buf_printf(out, "{\"volumeId\": \"%s\", \"serverId\": \"%s\", \"device\": \"%s\"", v->id, v->server->id,
			 v->device);
	if (c->microversion < 289)
		(void)buf_printf(out, ", \"id\": \"%s\"", v->id);
	else
		(void)buf_printf(out, ", \"attachment_id\": \"%s\", \"bdm_uuid\": \"%s\"", v->attachment_id,
				 v->attachment_id);
	if (c->microversion >= 279)
		(void)buf_text(out, ", \"delete_on_termination\": false");
	(void)buf_char(out, '}');
}

static void attachments(struct call *c, const struct server *s)
{
	const struct world *w = c->w;
	struct buf *out = &c->out->body;
	unsigned left = s->volumes_count;
	(void)buf_text(out, "{\"volumeAttachments\": [");
	for (size_t i = 0; left > 0 && i < w->volumes_count; i++) {
		if (w->volumes[i]->server != s)
			continue;
		attachment_json(c, out, w->volumes[i]);
		left--;
		if (left > 0)
			(void)buf_text(out, ", ");
	}
	(void)buf_text(out, "]}");
	answer_json(c->out, 200);
}

static void detach(struct call *c, struct server *s, const char *id)
{
	struct volume *v = volume_find(c->w, id);
	char text[200];
	int status = 202;
	if (v == NULL || v->server != s) {
		status = 404;
		(void)snprintf(text, sizeof(text), "Instance %s is not attached to volume %.40s.", s->id, id);
	} else if (v->use == USE_ROOT) {
		status = 403;
		(void)snprintf(text, sizeof(text), "Cannot detach a root device volume");
	} else if (host_is_down(c->w, s->host)) {
		status = 409;
		(void)snprintf(text, sizeof(text), "Compute service of the host of instance %s is down.", s->id);
	} else if (s->vm == VM_ERROR || s->vm == VM_SUSPENDED || s->is_locked || v->is_detaching) {
		status = 409;
		(void)snprintf(text, sizeof(text), "Cannot 'detach_volume' instance %s while it is in vm_state %s",
			       s->id, server_vm_state(s));
	}
	if (is_refused_to_reader(c, "os-volumes-attachments:delete"))
		return;
	tell(c->w, c->now, ACT_DETACH_VOLUME, c->req->client, s->id, s->name, status);
	if (status != 202) {
		call_error(c, status, text);
		return;
	}
	server_log(c->w, c->now, s, "detach_volume", SIM_USER_ID);
	v->is_detaching = true;
	due_push(&c->w->due, c->now.mono.ms + took(c->w, 1000), EV_VOLUME, v, v->epoch);
	c->out->status = 202;
}

static void attach(struct call *c, struct server *s)
{
	CLEANUP(json_decrefp) json_t *body = call_body(c);
	const char *id = json_text_or(body, "volumeAttachment.volumeId", "");
	struct volume *v = volume_find(c->w, id);
	if (is_refused_to_reader(c, "os-volumes-attachments:create"))
		return;
	if (v == NULL) {
		call_error(c, 404, "Volume could not be found.");
	} else if (v->server != NULL) {
		call_error(c, 400, "Invalid volume: volume is already attached.");
	} else {
		v->server = s;
		v->attached = c->now.wall;
		s->volumes_count++;
		(void)snprintf(v->device, sizeof(v->device), "/dev/vd%c", 'a' + (int)(s->volumes_count % 25));
		server_touch(s, c->now);
		server_log(c->w, c->now, s, "attach_volume", SIM_USER_ID);
		(void)buf_text(&c->out->body, "{\"volumeAttachment\": ");
		attachment_json(c, &c->out->body, v);
		(void)buf_char(&c->out->body, '}');
		answer_json(c->out, 200);
	}
}

/* ---- one server ---- */

static void not_found(struct call *c, const char *id)
{
	char text[120];
	(void)snprintf(text, sizeof(text), "Instance %.60s could not be found.", id);
	call_error(c, 404, text);
}

/* An act on a server that is not there is reported, too: somebody meant it. */
static void tell_of_unknown(struct call *c, const char *id)
{
	if (!call_is(c, "POST", 3) || strcmp(c->seg[2], "action") != 0)
		return;
	CLEANUP(json_decrefp) json_t *body = call_body(c);
	const char *type = json_text_or(body, "reboot.type", "");
	enum sim_act_kind kind = ACT_REBOOT_SOFT;
	if (json_object_get(body, "os-stop") != NULL)
		kind = ACT_STOP;
	else if (json_object_get(body, "os-start") != NULL)
		kind = ACT_START;
	else if (strcmp(type, "HARD") == 0)
		kind = ACT_REBOOT_HARD;
	else if (strcmp(type, "SOFT") != 0)
		return;
	tell(c->w, c->now, kind, c->req->client, id, "", 404);
}

static struct server *gone_server(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->gone_count; i++) {
		if (strcmp(w->gone[i]->id, id) == 0)
			return w->gone[i];
	}
	return NULL;
}

static bool below_server(struct call *c, struct server *s)
{
	const char *what = c->seg[2];
	if (call_is(c, "POST", 3) && strcmp(what, "action") == 0)
		action(c, s);
	else if (call_is(c, "GET", 3) && strcmp(what, "os-instance-actions") == 0)
		instance_actions(c, s);
	else if (strcmp(what, "os-volume_attachments") != 0)
		return false;
	else if (call_is(c, "GET", 3))
		attachments(c, s);
	else if (call_is(c, "POST", 3))
		attach(c, s);
	else if (call_is(c, "DELETE", 4))
		detach(c, s, c->seg[3]);
	else
		return false;
	return true;
}

static bool one_server(struct call *c)
{
	const char *id = c->seg[1];
	struct server *s = map_get(&c->w->servers_by_id, id);
	if (s == NULL && call_is(c, "GET", 3) && c->microversion >= 221 &&
	    strcmp(c->seg[2], "os-instance-actions") == 0)
		s = gone_server(c->w, id); /* the record outlives the server */
	if (s == NULL) {
		tell_of_unknown(c, id);
		not_found(c, id);
		return true;
	}
	if (c->count > 2)
		return below_server(c, s);
	if (call_is(c, "GET", 2)) {
		(void)buf_text(&c->out->body, "{\"server\": ");
		server_json(&c->out->body, c->w, s, c->microversion);
		(void)buf_char(&c->out->body, '}');
		answer_json(c->out, 200);
	} else if (call_is(c, "DELETE", 2)) {
		(void)act(c, s, &verbs[VERB_DELETE]);
	} else {
		return false;
	}
	return true;
}

bool nova_http(struct call *c)
{
	if (!negotiate(c))
		return true;
	headers(c);
	if (c->count == 0 || strcmp(c->seg[0], "servers") != 0)
		return false;
	if (call_is(c, "GET", 1)) {
		list(c, false);
		return true;
	}
	if (call_is(c, "GET", 2) && strcmp(c->seg[1], "detail") == 0) {
		list(c, true);
		return true;
	}
	return c->count >= 2 && one_server(c);
}
