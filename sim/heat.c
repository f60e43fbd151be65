/* Heat: stacks, their resources, marks and updates. Addresses without the stack's name are redirected, whatever the
 * method. */
#include <stdio.h>
#include <string.h>

#include "sim/world_int.h"

enum kind { KIND_NONE, KIND_ROOT, KIND_MASTERS, KIND_MINIONS, KIND_MEMBER };
struct found {
	enum kind kind;
	struct stack *st;
	struct member *m;
	const char *name, *id;
};

static void entity_missing(struct call *c, const char *what, const char *name)
{
	char text[300];
	(void)snprintf(text, sizeof(text), "The %s (%.200s) could not be found.", what, name);
	call_error(c, 404, text);
}

/* ---- finding ---- */

static bool is_it(const char *wanted, const char *name, const char *id)
{
	return strcmp(wanted, id) == 0 || strcmp(wanted, name) == 0;
}

static bool find_below(struct stack *st, const char *wanted, struct found *out)
{
	if (is_it(wanted, st->name, st->id)) {
		*out = (struct found){ KIND_ROOT, st, NULL, st->name, st->id };
		return true;
	}
	if (is_it(wanted, st->masters_name, st->masters_id)) {
		*out = (struct found){ KIND_MASTERS, st, NULL, st->masters_name, st->masters_id };
		return true;
	}
	if (is_it(wanted, st->minions_name, st->minions_id)) {
		*out = (struct found){ KIND_MINIONS, st, NULL, st->minions_name, st->minions_id };
		return true;
	}
	for (size_t i = 0; i < st->members_count; i++) {
		struct member *m = st->members[i];
		if (is_it(wanted, m->nested_name, m->nested_id)) {
			*out = (struct found){ KIND_MEMBER, st, m, m->nested_name, m->nested_id };
			return true;
		}
	}
	return false;
}

static bool find_stack(struct world *w, const char *wanted, struct found *out)
{
	return find_below(&w->stack, wanted, out) || (w->has_extra && find_below(&w->extra, wanted, out));
}

static void stack_href(const struct call *c, struct buf *out, const char *name, const char *id)
{
	(void)buf_printf(out, "%s/orchestration/v1/" SIM_PROJECT_ID "/stacks/%s/%s", c->w->base_url, name, id);
}

static void redirect(struct call *c, const struct found *f)
{
	struct buf *href = &c->w->scratch;
	buf_clear(href);
	stack_href(c, href, f->name, f->id);
	for (size_t i = 2; i < c->count; i++)
		(void)buf_printf(href, "/%s", c->seg[i]);
	if (c->query[0] != '\0')
		(void)buf_printf(href, "?%s", c->query);
	(void)buf_printf(&c->out->headers, "location: %s\n", buf_cstr(href));
	(void)buf_text(&c->out->body, "{\"message\": \"The resource was found at <a href=\\\"");
	(void)buf_printf(&c->out->body, "%s\\\">%s</a>;\\nyou should be redirected automatically.\\n\\n\", ",
			 buf_cstr(href), buf_cstr(href));
	(void)buf_text(&c->out->body, "\"code\": \"302 Found\", \"title\": \"Found\"}");
	answer_json(c->out, 302);
}

/* ---- stacks ---- */

static const char *group_status(const struct stack *st, bool is_master)
{
	const char *status = st->status[0] == 'C' ? "CREATE_COMPLETE" : "UPDATE_COMPLETE";
	for (size_t i = 0; i < st->members_count; i++) {
		const struct member *m = st->members[i];
		if (m->is_master != is_master)
			continue;
		if (m->work != WORK_NONE)
			return "UPDATE_IN_PROGRESS";
		if (m->has_failed)
			status = "UPDATE_FAILED";
	}
	return status;
}

static const char *status_of(const struct found *f)
{
	switch (f->kind) {
	case KIND_MASTERS:
	case KIND_MINIONS:
		return group_status(f->st, f->kind == KIND_MASTERS);
	case KIND_MEMBER:
		return f->m->action_state;
	case KIND_ROOT:
	case KIND_NONE:
		break;
	}
	return f->st->status;
}

static void render_summary(struct buf *out, const struct found *f)
{
	(void)buf_printf(out,
			 "{\"id\": \"%s\", \"stack_name\": \"%s\", \"stack_status\": \"%s\", \"stack_status_reason\": ",
			 f->id, f->name, status_of(f));
	(void)buf_json(out, f->kind == KIND_ROOT ? f->st->reason : "state changed");
	(void)buf_text(out, ", ");
	wall_json(out, "creation_time", f->st->created);
	(void)buf_text(out, ", ");
	wall_json(out, "updated_time", f->st->updated);
}

static void stack_summary(struct buf *out, const struct found *f)
{
	struct stack_cache *cache = &f->st->summary_cache;
	if (f->kind != KIND_ROOT) {
		render_summary(out, f);
		return;
	}
	if (cache->body.n == 0 || cache->version != f->st->version) {
		buf_clear(&cache->body);
		render_summary(&cache->body, f);
		cache->version = f->st->version;
	}
	(void)buf_add(out, cache->body.p, cache->body.n);
}

static void stack_parent(struct buf *out, const struct found *f)
{
	const char *parent = NULL;
	if (f->kind == KIND_MASTERS || f->kind == KIND_MINIONS)
		parent = f->st->id;
	else if (f->kind == KIND_MEMBER)
		parent = f->m->is_master ? f->st->masters_id : f->st->minions_id;
	(void)buf_printf(out, parent != NULL ? ", \"parent\": \"%s\"" : ", \"parent\": null%s",
			 parent != NULL ? parent : "");
}

static void show_stack(struct call *c, const struct found *f)
{
	char resolve[8] = "";
	struct buf *out = &c->out->body;
	(void)call_query(c, "resolve_outputs", resolve, sizeof(resolve));
	(void)buf_text(out, "{\"stack\": ");
	stack_summary(out, f);
	stack_parent(out, f);
	(void)buf_printf(
		out,
		", \"timeout_mins\": 20, \"disable_rollback\": true, \"stack_owner\": \"demo\", \"parameters\": "
		"{\"OS::stack_id\": \"%s\", \"OS::stack_name\": \"%s\", \"number_of_minions\": \"%u\"}, \"tags\": null",
		f->id, f->name, f->st->target);
	if (strcmp(resolve, "false") != 0 && strcmp(resolve, "False") != 0) {
		(void)buf_text(out,
			       ", \"outputs\": [{\"output_key\": \"api_address\", \"output_value\": \"10.0.0.5\"}]");
		c->out->delay_ms += scaled(c->w, stack_is_busy(f->st) ? 2500 : 300); /* outputs are resolved */
	}
	(void)buf_text(out, "}}");
	answer_json(c->out, 200);
}

static void list_stacks(struct call *c)
{
	struct world *w = c->w;
	struct found roots[] = { { KIND_ROOT, &w->stack, NULL, w->stack.name, w->stack.id },
				 { KIND_ROOT, &w->extra, NULL, w->extra.name, w->extra.id } };
	(void)buf_text(&c->out->body, "{\"stacks\": [");
	for (size_t i = 0; i < (w->has_extra ? 2U : 1U); i++) {
		if (i > 0)
			(void)buf_text(&c->out->body, ", ");
		stack_summary(&c->out->body, &roots[i]);
		(void)buf_char(&c->out->body, '}');
	}
	(void)buf_text(&c->out->body, "]}");
	answer_json(c->out, 200);
}

static bool is_refused_to_reader(struct call *c, const char *policy)
{
	if (!c->token->is_reader)
		return false;
	char text[120];
	(void)snprintf(text, sizeof(text), "You are not authorized to use %s.", policy);
	call_error(c, 403, text);
	return true;
}

static void update_stack(struct call *c, const struct found *f)
{
	CLEANUP(json_decrefp) json_t *body = call_body(c);
	int status = 202;
	if (c->token->is_reader)
		status = 403;
	else if (!json_is_object(body) || f->kind != KIND_ROOT)
		status = 400;
	tell(c->w, c->now, ACT_STACK_UPDATE, c->req->client, "", "", status);
	if (is_refused_to_reader(c, "stacks:update_patch"))
		return;
	if (status == 400) {
		call_error(c, 400,
			   "The server could not comply with the request since it is either malformed or otherwise "
			   "incorrect.");
		return;
	}
	stack_update(c->w, c->now, f->st);
	(void)buf_text(&c->out->body,
		       "{\"message\": \"The request is accepted for processing.<br /><br />\\n\\n\\n\", \"code\": "
		       "\"202 Accepted\", \"title\": \"Accepted\"}");
	answer_json(c->out, 202);
}

/* ---- resources ---- */

struct resource {
	const char *name, *type, *physical_id, *parent, *status, *reason;
	const char *stack_name, *stack_id;
	struct wall created, updated;
};

static void resource_json(struct call *c, struct buf *out, const struct resource *r)
{
	(void)buf_printf(out,
			 "{\"resource_name\": \"%s\", \"logical_resource_id\": \"%s\", \"resource_type\": \"%s\", "
			 "\"physical_resource_id\": \"%s\", \"resource_status\": \"%s\", \"resource_status_reason\": ",
			 r->name, r->name, r->type, r->physical_id, r->status);
	(void)buf_json(out, r->reason);
	(void)buf_text(out, ", ");
	wall_json(out, "creation_time", r->created);
	(void)buf_text(out, ", ");
	wall_json(out, "updated_time", r->updated);
	if (r->parent != NULL)
		(void)buf_printf(out, ", \"parent_resource\": \"%s\"", r->parent);
	(void)buf_text(out, ", \"required_by\": [], \"links\": [{\"rel\": \"self\", \"href\": \"");
	stack_href(c, out, r->stack_name, r->stack_id);
	(void)buf_printf(out, "/resources/%s\"}, {\"rel\": \"stack\", \"href\": \"", r->name);
	stack_href(c, out, r->stack_name, r->stack_id);
	(void)buf_text(out, "\"}]}");
}

/* Writes those that are asked for. */
struct lister {
	struct call *c;
	struct buf *out;
	char types[4][64];  /* any of them */
	size_t types_count; /* 0: all */
	bool is_next;
};

static bool is_asked_for(const struct lister *l, const char *type)
{
	for (size_t i = 0; i < l->types_count; i++) {
		if (strcmp(l->types[i], type) == 0)
			return true;
	}
	return l->types_count == 0;
}

static void list_one(struct lister *l, const struct resource *r)
{
	if (!is_asked_for(l, r->type))
		return;
	if (l->is_next)
		(void)buf_text(l->out, ", ");
	l->is_next = true;
	resource_json(l->c, l->out, r);
}

#define ROOT_VOLUME "kube_node_volume"

static const char *server_name(const struct member *m)
{
	bool is_bfv = m->root != NULL;
	return m->is_master ? is_bfv ? "kube-master-bfv" : "kube-master" : is_bfv ? "kube-minion-bfv" : "kube-minion";
}

static struct resource root_resource(const struct member *m, const char *index)
{
	return (struct resource){ .name = ROOT_VOLUME,
				  .type = "OS::Cinder::Volume",
				  .physical_id = m->root->id,
				  .parent = index,
				  .status = m->root_status,
				  .reason = "state changed",
				  .stack_name = m->nested_name,
				  .stack_id = m->nested_id,
				  .created = m->root->created,
				  .updated = m->root->created };
}

static struct resource server_resource(const struct member *m, const char *index)
{
	return (struct resource){ .name = server_name(m),
				  .type = "OS::Nova::Server",
				  .physical_id = m->physical_id,
				  .parent = index,
				  .status = m->status,
				  .reason = m->reason,
				  .stack_name = m->nested_name,
				  .stack_id = m->nested_id,
				  .created = m->created,
				  .updated = m->updated };
}

static void list_inside_member(struct lister *l, const struct member *m)
{
	char index[12];
	(void)snprintf(index, sizeof(index), "%u", m->index);
	struct resource r = server_resource(m, index);
	list_one(l, &r);
	r.name = m->is_master ? "master_config_deployment" : "node_config_deployment";
	r.type = "OS::Heat::SoftwareDeployment";
	r.physical_id = m->nested_name; /* any name of its own */
	r.status = m->has_failed ? "CREATE_FAILED" : m->work == WORK_NONE ? "CREATE_COMPLETE" : "CREATE_IN_PROGRESS";
	r.reason = "state changed";
	list_one(l, &r);
	if (m->root != NULL) {
		r = root_resource(m, index);
		list_one(l, &r);
	}
	if (m->etcd != NULL) {
		r.name = "etcd_volume";
		r.type = "Magnum::Optional::Etcd::Volume";
		r.physical_id = m->etcd->id;
		r.parent = index;
		r.status = "CREATE_COMPLETE";
		list_one(l, &r);
		r.name = "etcd_volume_attach";
		r.type = "Magnum::Optional::Etcd::VolumeAttachment";
		r.physical_id = m->etcd->attachment_id;
		list_one(l, &r);
	}
}

static void list_members(struct lister *l, const struct stack *st, bool is_master, int depth)
{
	for (size_t i = 0; i < st->members_count; i++) {
		const struct member *m = st->members[i];
		char index[12];
		if (m->is_master != is_master)
			continue;
		(void)snprintf(index, sizeof(index), "%u", m->index);
		struct resource r = { .name = index,
				      .type = is_master ? "file:///magnum/kubemaster.yaml"
							: "file:///magnum/kubeminion.yaml",
				      .physical_id = m->nested_id,
				      .parent = is_master ? "kube_masters" : "kube_minions",
				      .status = m->action_state,
				      .reason = "state changed",
				      .stack_name = is_master ? st->masters_name : st->minions_name,
				      .stack_id = is_master ? st->masters_id : st->minions_id,
				      .created = m->created,
				      .updated = m->updated };
		list_one(l, &r);
		if (depth > 0)
			list_inside_member(l, m);
	}
}

static void list_group(struct lister *l, const struct stack *st, bool is_master, int depth)
{
	struct resource r = { .name = is_master ? "kube_masters" : "kube_minions",
			      .type = "OS::Heat::ResourceGroup",
			      .physical_id = is_master ? st->masters_id : st->minions_id,
			      .status = group_status(st, is_master),
			      .reason = "state changed",
			      .stack_name = st->name,
			      .stack_id = st->id,
			      .created = st->created,
			      .updated = st->updated };
	list_one(l, &r);
	if (depth > 0)
		list_members(l, st, is_master, depth - 1);
}

static void list_below(struct lister *l, const struct found *f, int depth)
{
	(void)buf_text(l->out, "{\"resources\": [");
	switch (f->kind) {
	case KIND_NONE:
		break;
	case KIND_ROOT:
		if (f->st != &l->c->w->extra)
			list_group(l, f->st, true, depth);
		list_group(l, f->st, false, depth);
		break;
	case KIND_MASTERS:
	case KIND_MINIONS:
		list_members(l, f->st, f->kind == KIND_MASTERS, depth);
		break;
	case KIND_MEMBER:
		list_inside_member(l, f->m);
		break;
	}
	(void)buf_text(l->out, "]}");
}

/* type=A&type=B: any of them. */
static void read_types(struct lister *l, const char *query)
{
	struct call one = *l->c;
	for (const char *at = query; *at != '\0' && l->types_count < COUNT(l->types);) {
		size_t n = strcspn(at, "&");
		one.query = at;
		if (n > 5 && strncmp(at, "type=", 5) == 0 &&
		    call_query(&one, "type", l->types[l->types_count], sizeof(l->types[0])))
			l->types_count++;
		at += n;
		at += *at == '&';
	}
}

static void list_resources(struct call *c, const struct found *f)
{
	char depth[8] = "0";
	struct lister l = { .c = c, .out = &c->out->body };
	struct stack_cache *cache = &f->st->servers_cache;
	bool is_cached = f->kind == KIND_ROOT && strlen(c->query) < sizeof(cache->query);
	(void)call_query(c, "nested_depth", depth, sizeof(depth));
	if (is_cached &&
	    (cache->body.n == 0 || cache->version != f->st->version || strcmp(cache->query, c->query) != 0)) {
		buf_clear(&cache->body);
		cache->version = f->st->version;
		(void)TEXT_COPY(cache->query, c->query);
		l.out = &cache->body;
	}
	if (!is_cached || l.out == &cache->body) {
		read_types(&l, c->query);
		list_below(&l, f, atoi(depth));
	}
	if (is_cached)
		(void)buf_add(&c->out->body, cache->body.p, cache->body.n);
	answer_json(c->out, 200);
}

static bool names_server(const struct member *m, const char *resource)
{
	return strcmp(resource, server_name(m)) == 0 || strcmp(resource, m->physical_id) == 0;
}

static bool names_root(const struct member *m, const char *resource)
{
	return m->root != NULL && (strcmp(resource, ROOT_VOLUME) == 0 || strcmp(resource, m->root->id) == 0);
}

static void resource_missing(struct call *c, const struct found *f, const char *resource)
{
	char text[600];
	(void)snprintf(text, sizeof(text), "The Resource (%.100s) could not be found in Stack %.300s.", resource,
		       f->name);
	call_error(c, 404, text);
}

static void set_mark(struct call *c, struct member *m, bool is_of_root, const json_t *body)
{
	bool is_marked = json_bool(body, "mark_unhealthy", false);
	if (is_of_root) {
		if (is_marked || m->is_root_marked)
			m->root_status = is_marked ? "CHECK_FAILED" : "CHECK_COMPLETE";
		m->is_root_marked = is_marked;
		stack_changed(m->stack);
	} else if (is_marked || m->is_marked) {
		m->is_marked = is_marked;
		m->status = is_marked ? "CHECK_FAILED" : "CHECK_COMPLETE";
		m->updated = c->now.wall;
		(void)snprintf(m->reason, sizeof(m->reason), "%.190s",
			       json_text_or(body, "resource_status_reason", "state changed"));
		stack_changed(m->stack);
	}
	(void)buf_text(&c->out->body, "null");
	answer_json(c->out, 200);
}

static void mark(struct call *c, const struct found *f, const char *resource)
{
	CLEANUP(json_decrefp) json_t *body = call_body(c);
	bool is_of_root = f->kind == KIND_MEMBER && names_root(f->m, resource);
	struct member *m = f->kind == KIND_MEMBER && (is_of_root || names_server(f->m, resource)) ? f->m : NULL;
	bool is_working = m != NULL && strstr(m->status, "_IN_PROGRESS") != NULL;
	int status = 200;
	if (c->token->is_reader)
		status = 403;
	else if (m == NULL)
		status = 404;
	else if (!json_is_boolean(json_at(body, "mark_unhealthy")))
		status = 400;
	else if (is_working)
		status = 409;
	if (json_bool(body, "mark_unhealthy", true))
		tell(c->w, c->now, ACT_MARK_UNHEALTHY, c->req->client, m != NULL ? m->physical_id : "",
		     m != NULL ? m->name : "", status);
	if (is_refused_to_reader(c, "resource:mark_unhealthy"))
		return;
	if (status == 404)
		resource_missing(c, f, resource);
	else if (status == 400)
		call_error(c, 400, "Missing mandatory (mark_unhealthy) key from mark unhealthy request");
	else if (status == 409)
		call_error(c, 409, "Resource already has an action in progress.");
	else
		set_mark(c, m, is_of_root, body);
}

static void show_resource(struct call *c, const struct found *f, const char *resource)
{
	bool is_of_root = f->kind == KIND_MEMBER && names_root(f->m, resource);
	if (f->kind != KIND_MEMBER || (!is_of_root && !names_server(f->m, resource))) {
		resource_missing(c, f, resource);
		return;
	}
	char index[12];
	(void)snprintf(index, sizeof(index), "%u", f->m->index);
	struct resource r = is_of_root ? root_resource(f->m, index) : server_resource(f->m, index);
	(void)buf_text(&c->out->body, "{\"resource\": ");
	resource_json(c, &c->out->body, &r);
	(void)buf_char(&c->out->body, '}');
	answer_json(c->out, 200);
}

static bool inside_stack(struct call *c, const struct found *f)
{
	if (call_is(c, "GET", 3))
		show_stack(c, f);
	else if (call_is(c, "PATCH", 3))
		update_stack(c, f);
	else if (c->count < 4 || strcmp(c->seg[3], "resources") != 0)
		return false;
	else if (call_is(c, "GET", 4))
		list_resources(c, f);
	else if (call_is(c, "GET", 5))
		show_resource(c, f, c->seg[4]);
	else if (call_is(c, "PATCH", 5))
		mark(c, f, c->seg[4]);
	else
		return false;
	return true;
}

bool heat_http(struct call *c)
{
	if (c->count == 0 || strcmp(c->seg[0], "stacks") != 0)
		return false;
	if (call_is(c, "GET", 1)) {
		list_stacks(c);
		return true;
	}
	struct found f;
	if (c->count < 2)
		return false;
	bool has_id = c->count >= 3 && strcmp(c->seg[2], "resources") != 0 && strcmp(c->seg[2], "actions") != 0;
	if (!find_stack(c->w, has_id ? c->seg[2] : c->seg[1], &f))
		entity_missing(c, "Stack", c->seg[1]);
	else if (!has_id)
		redirect(c, &f);
	else if (strcmp(c->seg[1], f.name) == 0 && strcmp(c->seg[2], f.id) == 0)
		return inside_stack(c, &f);
	else /* the right id below another's name */
		entity_missing(c, "Stack", c->seg[1]);
	return true;
}
