/* Magnum: the cluster, its node groups, resizes. It answers first and thinks later: a resize reaches its conductor a
 * second after the 202, and its own status follows Heat's only while it says *_IN_PROGRESS. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

#define MICROVERSION_MAX 112
#define RESIZE_NODES_MAX 1000

void magnum_changed(struct world *w)
{
	buf_clear(&w->cluster.json);
	buf_clear(&w->cluster.groups_json);
}

/* ---- the conductor ---- */

static void schedule_sync(struct world *w, struct now at)
{
	if (w->cluster.is_syncing)
		return;
	w->cluster.is_syncing = true;
	due_push(&w->due, at.mono.ms + took(w, 5 * SEC), EV_SYNC, &w->cluster, 0);
}

void magnum_busy(struct world *w, struct now at, struct stack *st, const char *status)
{
	struct cluster *cluster = &w->cluster;
	cluster->status = status;
	cluster->updated = at.wall;
	cluster->reason[0] = '\0';
	buf_clear(&cluster->faults);
	for (size_t i = 0; i < cluster->groups_count; i++) {
		if (cluster->groups[i].stack != st)
			continue;
		cluster->groups[i].status = status;
		cluster->groups[i].updated = at.wall;
	}
	magnum_changed(w);
	schedule_sync(w, at);
}

static void refresh_addresses(struct group *group)
{
	bool is_next = false;
	bool is_master = strcmp(group->role, "master") == 0;
	buf_clear(&group->addresses);
	(void)buf_char(&group->addresses, '[');
	for (size_t i = 0; i < group->stack->members_count; i++) {
		const struct member *m = group->stack->members[i];
		if (m->is_master != is_master)
			continue;
		(void)buf_printf(&group->addresses, "%s\"%s\"", is_next ? ", " : "", m->address);
		is_next = true;
	}
	(void)buf_char(&group->addresses, ']');
}

static bool is_under_way(const char *status)
{
	return strstr(status, "_IN_PROGRESS") != NULL;
}

static void settle(struct world *w, struct now at)
{
	struct cluster *cluster = &w->cluster;
	bool has_failed = false;
	bool was_creating = strcmp(cluster->status, "CREATE_IN_PROGRESS") == 0;
	for (size_t i = 0; i < cluster->groups_count; i++) {
		const struct group *group = &cluster->groups[i];
		if (strcmp(group->status, "UPDATE_FAILED") != 0)
			continue;
		size_t n = strlen(cluster->reason);
		(void)snprintf(cluster->reason + n, sizeof(cluster->reason) - n, "%s%s failed", n > 0 ? ", " : "",
			       group->name);
		(void)buf_printf(&cluster->faults, "%s\"%s\": ", has_failed ? ", " : "{", group->name);
		(void)buf_json(&cluster->faults, group->stack->fault);
		has_failed = true;
	}
	if (has_failed)
		(void)buf_char(&cluster->faults, '}');
	cluster->status = has_failed ? "UPDATE_FAILED" : was_creating ? "CREATE_COMPLETE" : "UPDATE_COMPLETE";
	cluster->updated = at.wall;
}

void magnum_sync(struct world *w, struct now at)
{
	struct cluster *cluster = &w->cluster;
	bool is_busy = false;
	cluster->is_syncing = false;
	for (size_t i = 0; i < cluster->groups_count; i++) {
		struct group *group = &cluster->groups[i];
		if (!is_under_way(group->status))
			continue;
		if (stack_is_busy(group->stack)) {
			is_busy = true;
			continue;
		}
		group->status = group->stack->status;
		group->updated = at.wall;
		if (strstr(group->status, "_COMPLETE") != NULL)
			refresh_addresses(group); /* a failure leaves the addresses of before */
	}
	if (is_busy)
		schedule_sync(w, at);
	else if (is_under_way(cluster->status))
		settle(w, at);
	magnum_changed(w);
}

void stack_magnum_resize(struct world *w, struct now at, struct resize *r)
{
	struct stack *st = r->group->stack;
	if (strcmp(w->cluster.status, "CREATE_IN_PROGRESS") == 0)
		return; /* refused, and nobody is told */
	r->group->node_count = r->node_count;
	st->target = r->node_count;
	free(st->remove); /* the removals of an earlier resize that have not begun are forgotten */
	st->remove = r->remove;
	st->remove_count = r->remove_count;
	r->remove = NULL;
	stack_pass(w, at, st);
	magnum_busy(w, at, st, "UPDATE_IN_PROGRESS");
}

static void resize_destroy(void *thing)
{
	struct resize *r = thing;
	free(r->remove);
	free(r);
}

struct group *worker_group_of(struct world *w, const struct stack *st)
{
	struct cluster *cluster = &w->cluster;
	size_t i = 0;
	while (cluster->groups[i].stack != st || strcmp(cluster->groups[i].role, "worker") != 0)
		i++;
	return &cluster->groups[i];
}

void conductor_resize(struct world *w, struct now at, struct group *group, unsigned node_count,
		      const char *const *remove, size_t remove_count)
{
	struct resize *r = xcalloc(1, sizeof(*r));
	r->thing.destroy = resize_destroy;
	r->group = group;
	r->node_count = node_count;
	r->remove = xcalloc(remove_count + 1, ID_BYTES);
	for (size_t i = 0; i < remove_count; i++) {
		if (text_copy(r->remove[r->remove_count], ID_BYTES, remove[i]))
			r->remove_count++;
	}
	due_push(&w->due, at.mono.ms + took(w, 1000), EV_RESIZE, r, 0);
}

/* ---- versions and refusals ---- */

static void headers(struct call *c)
{
	(void)buf_printf(&c->out->headers,
			 "openstack-api-version: container-infrastructure-management 1.%d\n"
			 "openstack-api-minimum-version: container-infrastructure-management 1.1\n"
			 "openstack-api-maximum-version: container-infrastructure-management 1.12\n"
			 "vary: OpenStack-API-Version\n",
			 c->microversion - 100);
}

static bool negotiate(struct call *c)
{
	const char *text = request_header(c->req, "openstack-api-version");
	unsigned minor = 0;
	if (text_starts(text, "container-infra "))
		text += strlen("container-infra ");
	if (text[0] == '\0')
		minor = 1;
	else if (strcmp(text, "latest") == 0)
		minor = MICROVERSION_MAX - 100;
	else if (sscanf(text, "1.%3u", &minor) != 1)
		minor = 999;
	c->microversion = 100 + (int)minor;
	if (minor >= 1 && c->microversion <= MICROVERSION_MAX)
		return true;
	(void)buf_printf(
		&c->out->body,
		"{\"errors\": [{\"request_id\": \"\", \"code\": \"magnum.microversion-unsupported\", \"status\": 406, "
		"\"title\": \"Requested microversion is unsupported\", \"description\": \"Version 1.%u is not "
		"supported by "
		"the API. Minimum is 1.1 and maximum is 1.12.\", \"max_version\": \"1.12\", \"min_version\": "
		"\"1.1\"}]}",
		minor);
	answer_json(c->out, 406);
	return false;
}

static bool is_too_old(struct call *c, int needed, const char *api)
{
	if (c->microversion >= needed)
		return false;
	(void)buf_printf(&c->out->body,
			 "{\"errors\": [{\"request_id\": \"\", \"code\": \"client\", \"status\": 406, \"title\": \"Not "
			 "Acceptable\", "
			 "\"detail\": \"Version 1.%d was requested but the requested API %s is not supported for this "
			 "version.\"}]}",
			 c->microversion - 100, api);
	answer_json(c->out, 406);
	return true;
}

static void not_found(struct call *c, const char *what, const char *name)
{
	char text[300];
	(void)snprintf(text, sizeof(text), "%s %.200s could not be found", what, name);
	call_error(c, 404, text);
}

/* ---- looking ---- */

static void addresses_of(const struct cluster *cluster, struct buf *out, const char *role)
{
	bool is_next = false;
	(void)buf_char(out, '[');
	for (size_t i = 0; i < cluster->groups_count; i++) {
		const struct group *group = &cluster->groups[i];
		if (strcmp(group->role, role) != 0 || group->addresses.n <= 2)
			continue;
		if (is_next)
			(void)buf_text(out, ", ");
		(void)buf_add(out, group->addresses.p + 1, group->addresses.n - 2);
		is_next = true;
	}
	(void)buf_char(out, ']');
}

static unsigned count_of(const struct cluster *cluster, const char *role)
{
	unsigned count = 0;
	for (size_t i = 0; i < cluster->groups_count; i++) {
		if (strcmp(cluster->groups[i].role, role) == 0)
			count += cluster->groups[i].node_count;
	}
	return count;
}

static void cluster_state(struct buf *out, const struct cluster *cluster)
{
	(void)buf_printf(out, "\"status\": \"%s\", \"status_reason\": ", cluster->status);
	if (cluster->reason[0] != '\0')
		(void)buf_json(out, cluster->reason);
	else
		(void)buf_text(out, "null");
	if (cluster->faults.n > 0)
		(void)buf_printf(out, ", \"faults\": %s", buf_cstr(&cluster->faults));
	(void)buf_printf(out, cluster->health != NULL ? ", \"health_status\": \"%s\"" : ", \"health_status\": null%s",
			 cluster->health != NULL ? cluster->health : "");
	(void)buf_printf(out, ", \"health_status_reason\": %s, ",
			 cluster->health_reason.n > 0 ? buf_cstr(&cluster->health_reason) : "{}");
}

static void cluster_json(struct world *w, struct buf *out)
{
	const struct cluster *cluster = &w->cluster;
	(void)buf_printf(out, "{\"uuid\": \"%s\", \"name\": \"%s\", ", cluster->id, cluster->name);
	cluster_state(out, cluster);
	(void)buf_printf(
		out,
		"\"stack_id\": \"%s\", \"labels\": {\"auto_healing_enabled\": \"%s\", \"auto_healing_controller\": "
		"\"magnum-auto-healer\", \"kube_tag\": \"v1.32.0\", \"etcd_volume_size\": \"%s\"}, \"node_count\": %u, "
		"\"master_count\": %u, ",
		w->stack.id, cluster->is_healing ? "true" : "false", w->opts.with_etcd_volume ? "10" : "0",
		count_of(cluster, "worker"), count_of(cluster, "master"));
	(void)buf_text(out, "\"node_addresses\": ");
	addresses_of(cluster, out, "worker");
	(void)buf_text(out, ", \"master_addresses\": ");
	addresses_of(cluster, out, "master");
	(void)buf_printf(out,
			 ", \"api_address\": \"%s\", \"coe_version\": \"v1.32.0\", \"cluster_template_id\": "
			 "\"0b8c2a1e-7c4e-4f0e-9a5b-2d1f0e3c4b5a\", \"project_id\": \"" SIM_PROJECT_ID
			 "\", \"user_id\": \"" SIM_USER_ID
			 "\", \"keypair\": \"demo\", \"create_timeout\": 60, \"master_lb_enabled\": %s, "
			 "\"floating_ip_enabled\": false, ",
			 "https://10.0.0.5:6443", count_of(cluster, "master") > 1 ? "true" : "false");
	wall_json(out, "created_at", cluster->created);
	(void)buf_text(out, ", ");
	wall_json(out, "updated_at", cluster->updated);
	(void)buf_char(out, '}');
}

static void show_cluster(struct call *c, bool is_list)
{
	struct buf *cached = &c->w->cluster.json;
	if (cached->n == 0)
		cluster_json(c->w, cached);
	if (is_list)
		(void)buf_text(&c->out->body, "{\"clusters\": [");
	(void)buf_add(&c->out->body, cached->p, cached->n);
	if (is_list)
		(void)buf_text(&c->out->body, "]}");
	answer_json(c->out, 200);
}

static void group_json(struct buf *out, const struct cluster *cluster, const struct group *group, bool is_full)
{
	bool is_extra = strcmp(group->name, "extra") == 0;
	(void)buf_printf(
		out,
		"{\"uuid\": \"%s\", \"name\": \"%s\", \"role\": \"%s\", \"node_count\": %u, \"is_default\": %s, "
		"\"flavor_id\": \"m1.medium\", \"image_id\": \"7d0c1b2a-3e4f-4a5b-8c6d-9e0f1a2b3c4d\", \"stack_id\": "
		"\"%s\", "
		"\"status\": \"%s\", \"min_node_count\": %d, \"max_node_count\": null, \"merge_labels\": false",
		group->id, group->name, group->role, group->node_count, is_extra ? "false" : "true", group->stack->id,
		group->status, strcmp(group->role, "master") == 0 ? 1 : 0);
	if (is_full) {
		(void)buf_printf(
			out,
			", \"cluster_id\": \"%s\", \"project_id\": \"" SIM_PROJECT_ID
			"\", \"labels\": {}, \"version\": null, \"status_reason\": null, \"node_addresses\": %s, ",
			cluster->id, buf_cstr(&group->addresses));
		wall_json(out, "created_at", group->created);
		(void)buf_text(out, ", ");
		wall_json(out, "updated_at", group->updated);
	}
	(void)buf_char(out, '}');
}

static struct group *find_group(struct cluster *cluster, const char *name)
{
	for (size_t i = 0; i < cluster->groups_count; i++) {
		if (strcmp(cluster->groups[i].name, name) == 0 || strcmp(cluster->groups[i].id, name) == 0)
			return &cluster->groups[i];
	}
	return NULL;
}

static void groups_json(struct buf *out, const struct cluster *cluster)
{
	(void)buf_text(out, "{\"nodegroups\": [");
	for (size_t i = 0; i < cluster->groups_count; i++) {
		if (i > 0)
			(void)buf_text(out, ", ");
		group_json(out, cluster, &cluster->groups[i], false);
	}
	(void)buf_text(out, "]}");
}

static void list_groups(struct call *c)
{
	struct buf *cached = &c->w->cluster.groups_json;
	if (is_too_old(c, 109, "get_all"))
		return;
	if (cached->n == 0)
		groups_json(cached, &c->w->cluster);
	(void)buf_add(&c->out->body, cached->p, cached->n);
	answer_json(c->out, 200);
}

static void show_group(struct call *c, const char *name)
{
	if (is_too_old(c, 109, "get_one"))
		return;
	const struct group *group = find_group(&c->w->cluster, name);
	if (group == NULL) {
		not_found(c, "Nodegroup", name);
		return;
	}
	group_json(&c->out->body, &c->w->cluster, group, true);
	answer_json(c->out, 200);
}

/* ---- the health report: the reason is a text that reads as a Python dict of texts ---- */

static void skip_blanks(const char **at)
{
	while (isspace((unsigned char)**at))
		(*at)++;
}

/* A quoted Python text → JSON string. */
static bool python_text(const char **at, struct buf *text, struct buf *out)
{
	char quote = **at;
	if (quote != '\'' && quote != '"')
		return false;
	buf_clear(text);
	for ((*at)++; **at != quote; (*at)++) {
		if (**at == '\\')
			(*at)++;
		if (**at == '\0' || **at == '\n')
			return false;
		(void)buf_char(text, **at);
	}
	(*at)++;
	return buf_json(out, buf_cstr(text));
}

static bool python_dict(const char *at, struct buf *text, struct buf *out)
{
	skip_blanks(&at);
	if (*at++ != '{')
		return false;
	(void)buf_char(out, '{');
	skip_blanks(&at);
	while (*at != '}') {
		if (!python_text(&at, text, out))
			return false;
		skip_blanks(&at);
		if (*at++ != ':')
			return false;
		(void)buf_text(out, ": ");
		skip_blanks(&at);
		if (!python_text(&at, text, out))
			return false;
		skip_blanks(&at);
		if (*at != ',' && *at != '}')
			return false;
		at += *at == ',';
		skip_blanks(&at);
		if (*at != '}')
			(void)buf_text(out, ", ");
	}
	(void)buf_char(out, '}');
	at++;
	skip_blanks(&at);
	return *at == '\0';
}

struct report {
	const char *health;
	struct buf reason;
	bool has_reason;
	char why[200]; /* refused with 400 */
};

static void read_health(const json_t *value, struct report *r)
{
	static const char *const known[] = { "HEALTHY", "UNHEALTHY", "UNKNOWN" };
	for (size_t i = 0; i < COUNT(known); i++) {
		if (json_is_string(value) && strcmp(json_string_value(value), known[i]) == 0)
			r->health = known[i];
	}
	if (r->health == NULL)
		(void)snprintf(r->why, sizeof(r->why),
			       "Invalid input for field/attribute health_status. Value should be one of: "
			       "HEALTHY, UNKNOWN, UNHEALTHY");
}

static void read_op(struct world *w, const json_t *op, struct report *r)
{
	const char *path = json_text_or(op, "path", "");
	const json_t *value = json_object_get(op, "value");
	if (!text_eq(json_text(op, "op"), "replace")) {
		(void)snprintf(r->why, sizeof(r->why), "Invalid input for field/attribute op.");
	} else if (!json_is_string(value) && !json_is_integer(value)) {
		(void)snprintf(r->why, sizeof(r->why),
			       "Invalid input for field/attribute value. Wrong type. Expected '(<class 'str'>, <class "
			       "'int'>)', got "
			       "'<class '%s'>'",
			       json_is_object(value)  ? "dict"
			       : json_is_array(value) ? "list"
						      : "NoneType");
	} else if (strcmp(path, "/health_status") == 0) {
		read_health(value, r);
	} else if (strcmp(path, "/health_status_reason") == 0) {
		buf_clear(&r->reason);
		r->has_reason = json_is_string(value) && python_dict(json_string_value(value), &w->scratch, &r->reason);
		if (!r->has_reason)
			(void)snprintf(r->why, sizeof(r->why), "health_status_reason does not read as a dictionary");
	} else {
		(void)snprintf(r->why, sizeof(r->why), "'%.80s' is an internal attribute and can not be updated", path);
	}
}

static void apply_report(struct call *c, struct report *r)
{
	struct cluster *cluster = &c->w->cluster;
	if (r->health != NULL)
		cluster->health = r->health;
	if (r->has_reason) {
		buf_clear(&cluster->health_reason);
		(void)buf_add(&cluster->health_reason, r->reason.p, r->reason.n);
	}
	cluster->updated = c->now.wall;
	magnum_changed(c->w);
	(void)buf_printf(&c->out->body, "{\"uuid\": \"%s\"}", cluster->id);
	answer_json(c->out, 202);
}

static void patch_cluster(struct call *c)
{
	CLEANUP(json_decrefp) json_t *body = call_body(c);
	struct report r = { 0 };
	buf_init(&r.reason, 1 << 20);
	if (!json_is_array(body))
		(void)snprintf(r.why, sizeof(r.why), "Invalid input for field/attribute patch. Wrong type.");
	size_t i = 0;
	json_t *op = NULL;
	json_array_foreach(body, i, op) {
		if (r.why[0] == '\0')
			read_op(c->w, op, &r);
	}
	int status = c->token->is_reader ? 403 : r.why[0] != '\0' ? 400 : 202;
	tell(c->w, c->now, ACT_HEALTH_REPORT, c->req->client, "", "", status);
	if (status == 403)
		call_error(c, 403, "Policy doesn't allow cluster:update to be performed");
	else if (status == 400)
		call_error(c, 400, r.why);
	else
		apply_report(c, &r);
	buf_done(&r.reason);
}

/* ---- resize ---- */

static bool is_resize_key(const char *key)
{
	return strcmp(key, "node_count") == 0 || strcmp(key, "nodes_to_remove") == 0 || strcmp(key, "nodegroup") == 0;
}

/* The status to answer; `why` for an error. */
static int check_resize(struct call *c, json_t *body, struct group **out_group, char *why, size_t why_bytes)
{
	const char *key = NULL;
	json_t *value = NULL;
	why[0] = '\0';
	if (c->token->is_reader) {
		(void)snprintf(why, why_bytes, "Policy doesn't allow cluster:resize to be performed");
		return 403;
	}
	json_object_foreach(body, key, value) {
		if (is_resize_key(key))
			continue;
		(void)snprintf(why, why_bytes, "Unknown attribute for argument cluster_resize_req: %.60s", key);
		return 400;
	}
	json_t *count = json_object_get(body, "node_count");
	if (!json_is_integer(count) || json_integer_value(count) < 0 || json_integer_value(count) > RESIZE_NODES_MAX) {
		(void)snprintf(why, why_bytes, "Invalid input for field/attribute node_count. %s",
			       json_is_integer(count) ? "Value should be greater or equal to 0"
						      : "Value: 'None'. Mandatory field missing.");
		return 400;
	}
	const char *name = json_text_or(body, "nodegroup", "default-worker");
	*out_group = find_group(&c->w->cluster, name);
	if (*out_group == NULL) {
		(void)snprintf(why, why_bytes, "Nodegroup %.100s could not be found", name);
		return 404;
	}
	if (strcmp((*out_group)->role, "master") == 0) {
		(void)snprintf(why, why_bytes, "Resizing the master nodegroup is not supported by this driver");
		return 400;
	}
	if (json_integer_value(count) == 0 && c->microversion < 110) {
		(void)snprintf(why, why_bytes, "Resizing a node group to zero nodes needs API version 1.10");
		return 400;
	}
	return 202;
}

static const char *node_on(const struct world *w, const char *server)
{
	const struct server *s = map_get(&w->servers_by_id, server);
	return s != NULL ? s->name : "";
}

static void tell_of_resize(struct call *c, const json_t *body, int status)
{
	size_t i = 0;
	json_t *id = NULL;
	const json_t *ids = json_object_get(body, "nodes_to_remove");
	json_array_foreach(ids, i, id) {
		const char *server = json_is_string(id) ? json_string_value(id) : "";
		tell(c->w, c->now, ACT_RESIZE, c->req->client, server, node_on(c->w, server), status);
	}
	if (json_array_size(ids) == 0)
		tell(c->w, c->now, ACT_RESIZE, c->req->client, "", "", status);
}

static void hand_to_conductor(struct call *c, const json_t *body, struct group *group)
{
	const json_t *ids = json_object_get(body, "nodes_to_remove");
	size_t count = json_array_size(ids);
	const char **remove = xcalloc(count + 1, sizeof(remove[0]));
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		const json_t *id = json_array_get(ids, i);
		if (json_is_string(id))
			remove[kept++] = json_string_value(id);
	}
	conductor_resize(c->w, c->now, group, (unsigned)json_int(body, "node_count", 0), remove, kept);
	free(remove);
}

static void resize(struct call *c)
{
	if (is_too_old(c, 107, "resize"))
		return;
	CLEANUP(json_decrefp) json_t *body = call_body(c);
	struct group *group = NULL;
	char why[200] = "Invalid input for field/attribute cluster_resize_req. Wrong type.";
	int status = json_is_object(body) ? check_resize(c, body, &group, why, sizeof(why)) : 400;
	tell_of_resize(c, body, status);
	if (status != 202) {
		call_error(c, status, why);
		return;
	}
	hand_to_conductor(c, body, group);
	(void)buf_printf(&c->out->body, "{\"uuid\": \"%s\"}", c->w->cluster.id);
	answer_json(c->out, 202);
}

/* ---- dispatch ---- */

static bool one_cluster(struct call *c)
{
	if (call_is(c, "GET", 2))
		show_cluster(c, false);
	else if (call_is(c, "PATCH", 2))
		patch_cluster(c);
	else if (call_is(c, "GET", 3) && strcmp(c->seg[2], "nodegroups") == 0)
		list_groups(c);
	else if (call_is(c, "GET", 4) && strcmp(c->seg[2], "nodegroups") == 0)
		show_group(c, c->seg[3]);
	else if (call_is(c, "POST", 4) && strcmp(c->seg[2], "actions") == 0 && strcmp(c->seg[3], "resize") == 0)
		resize(c);
	else
		return false;
	return true;
}

bool magnum_http(struct call *c)
{
	const struct cluster *cluster = &c->w->cluster;
	if (!negotiate(c))
		return true;
	headers(c);
	if (c->count == 0 || strcmp(c->seg[0], "clusters") != 0)
		return false;
	if (call_is(c, "GET", 1)) {
		show_cluster(c, true);
		return true;
	}
	if (c->count < 2)
		return false;
	if (strcmp(c->seg[1], cluster->id) != 0 && strcmp(c->seg[1], cluster->name) != 0) {
		not_found(c, "Cluster", c->seg[1]);
		return true;
	}
	return one_cluster(c);
}

/* ---- the beginning and the end ---- */

static void add_group(struct world *w, struct now created, const char *name, const char *role, struct stack *st,
		      int count)
{
	struct group *group = &w->cluster.groups[w->cluster.groups_count++];
	*group = (struct group){ .name = name,
				 .role = role,
				 .stack = st,
				 .node_count = (unsigned)count,
				 .status = "CREATE_COMPLETE",
				 .created = created.wall };
	make_uuid(&w->ids, group->id);
	buf_init(&group->addresses, 1 << 20);
	refresh_addresses(group);
}

static void cluster_never_dies(void *thing)
{
	(void)thing; /* it is a part of the world */
}

void magnum_init(struct world *w, struct now created)
{
	struct cluster *cluster = &w->cluster;
	cluster->thing.destroy = cluster_never_dies;
	cluster->status = "CREATE_COMPLETE";
	cluster->is_healing = true;
	cluster->created = created.wall;
	buf_init(&cluster->faults, 64 << 10);
	buf_init(&cluster->health_reason, 1 << 20);
	buf_init(&cluster->json, BODY_BYTES_MAX);
	buf_init(&cluster->groups_json, 1 << 20);
	add_group(w, created, "default-master", "master", &w->stack, w->opts.masters);
	add_group(w, created, "default-worker", "worker", &w->stack, w->opts.workers);
	if (w->has_extra)
		add_group(w, created, "extra", "worker", &w->extra, w->opts.extra_workers);
}

void magnum_done(struct world *w)
{
	struct cluster *cluster = &w->cluster;
	for (size_t i = 0; i < cluster->groups_count; i++)
		buf_done(&cluster->groups[i].addresses);
	buf_done(&cluster->faults);
	buf_done(&cluster->health_reason);
	buf_done(&cluster->json);
	buf_done(&cluster->groups_json);
}
