/* Magnum: clusters, node groups, resize, health. */
#include "cloud/openstack/magnum.h"

#include <string.h>
#include <strings.h>

#include "base/jsonx.h"
#include "base/str.h"

#define PATH_BYTES_MAX 2048
#define BODY_BYTES_MAX 65536
#define MASTERS_MAX 1000 /* a number beyond that is no answer */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text);
	size_t end_n = strlen(end);
	return n >= end_n && strcmp(text + n - end_n, end) == 0;
}

bool status_is_busy(const char *status)
{
	return ends_with(status, "_IN_PROGRESS");
}

bool status_is_settled(const char *status)
{
	return !text_starts(status, "DELETE_") &&
	       (ends_with(status, "_COMPLETE") || strcmp(status, "UPDATE_FAILED") == 0);
}

/* /clusters/NAME + tail [+ /GROUP] */
static const char *cluster_path(struct arena *arena, const char *cluster, const char *tail, const char *group)
{
	struct buf b;
	buf_init(&b, PATH_BYTES_MAX);
	(void)(buf_text(&b, "/clusters/") && buf_urlencode(&b, cluster) && buf_text(&b, tail));
	if (group != NULL)
		(void)(buf_char(&b, '/') && buf_urlencode(&b, group));
	const char *path = arena_strdup(arena, buf_cstr(&b));
	buf_done(&b);
	return path;
}

static void get(struct ask *out, const char *path)
{
	*out = (struct ask){ .kind = ASK_CLOUD, .service = SERVICE_CLUSTER, .method = "GET", .path = path };
}

static void act(struct arena *arena, struct ask *out, const char *method, struct buf *body)
{
	out->method = method;
	out->body = arena_strdup(arena, buf_cstr(body));
	out->is_act = true;
	buf_done(body);
}

void magnum_cluster(struct arena *arena, const char *name_or_id, struct ask *out)
{
	get(out, cluster_path(arena, name_or_id, "", NULL));
}

void magnum_groups(struct arena *arena, const char *cluster, struct ask *out)
{
	get(out, cluster_path(arena, cluster, "/nodegroups", NULL));
}

void magnum_group(struct arena *arena, const char *cluster, const char *group, struct ask *out)
{
	get(out, cluster_path(arena, cluster, "/nodegroups", group));
}

void magnum_resize(struct arena *arena, const char *cluster, const char *group, int count, const char *server,
		   struct ask *out)
{
	struct buf b;
	buf_init(&b, BODY_BYTES_MAX);
	get(out, cluster_path(arena, cluster, "/actions/resize", NULL));
	(void)(buf_printf(&b, "{\"node_count\":%d,\"nodes_to_remove\":[", count) && buf_json(&b, server) &&
	       buf_text(&b, "],\"nodegroup\":") && buf_json(&b, group) && buf_char(&b, '}'));
	act(arena, out, "POST", &b);
}

/* 'NAME.Ready': 'False' as Python writes it, because Magnum reads it with Python's literal_eval. */
static void add_reason(struct buf *b, const char *node)
{
	(void)buf_text(b, ", '");
	for (const char *c = node; *c != '\0'; c++) {
		if (*c == '\'' || *c == '\\')
			(void)buf_char(b, '\\');
		if ((unsigned char)*c >= ' ')
			(void)buf_char(b, *c);
	}
	(void)buf_text(b, ".Ready': 'False'");
}

void magnum_health(struct arena *arena, const char *cluster, bool is_healthy, const char *const *bad_nodes,
		   size_t bad_count, struct ask *out)
{
	struct buf reason;
	struct buf b;
	buf_init(&reason, BODY_BYTES_MAX);
	buf_init(&b, BODY_BYTES_MAX);
	(void)buf_text(&reason, "{'api': 'ok'");
	for (size_t i = 0; i < bad_count && i < HEALTH_NODES_MAX; i++)
		add_reason(&reason, bad_nodes[i]);
	if (bad_count > HEALTH_NODES_MAX)
		(void)buf_printf(&reason, ", 'more': '%zu'", bad_count - HEALTH_NODES_MAX);
	(void)buf_char(&reason, '}');
	(void)(buf_printf(&b, "[{\"op\":\"replace\",\"path\":\"/health_status\",\"value\":\"%s\"},",
			  is_healthy ? "HEALTHY" : "UNHEALTHY") &&
	       buf_text(&b, "{\"op\":\"replace\",\"path\":\"/health_status_reason\",\"value\":") &&
	       buf_json(&b, buf_cstr(&reason)) && buf_text(&b, "}]"));
	buf_done(&reason);
	get(out, cluster_path(arena, cluster, "", NULL));
	act(arena, out, "PATCH", &b);
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

/* As Go's strconv.ParseBool, which the reference uses. */
static bool is_true(const char *text)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	for (size_t i = 0; i < COUNT(yes); i++) {
		if (strcmp(text, yes[i]) == 0)
			return true;
	}
	return false;
}

/* Labels are texts; what is not a plain number promises nothing. */
static bool is_positive(const json_t *label)
{
	const char *text = json_string_value(label);
	size_t digits = text != NULL ? strspn(text, "0123456789") : 0;
	if (text == NULL)
		return json_integer_value(label) > 0;
	return digits > 0 && text[digits] == '\0' && strspn(text, "0") < digits;
}

bool magnum_cluster_read(const json_t *cluster, struct cluster_view *out, struct err *err)
{
	const char *id = json_text_or(cluster, "uuid", "");
	const char *status = json_text_or(cluster, "status", "");
	const char *stack = json_text(cluster, "stack_id");
	if (stack == NULL) /* from 1.13 on it has this name */
		stack = json_text_or(cluster, "cluster_id", "");
	if (id[0] == '\0' || status[0] == '\0' || !TEXT_COPY(out->id, id) || !TEXT_COPY(out->status, status) ||
	    !TEXT_COPY(out->stack_id, stack) || !TEXT_COPY(out->name, json_text_or(cluster, "name", "")))
		return fail(err, ERR_REMOTE, "the cluster that Magnum shows has no usable uuid, status or stack_id");
	const json_t *labels = json_object_get(cluster, "labels");
	const char *label = json_string_value(json_object_get(labels, "auto_healing_enabled"));
	int64_t masters = json_int(cluster, "master_count", 0);
	out->has_healing_label = label != NULL;
	out->is_healing_enabled = label != NULL && is_true(label);
	out->has_etcd_volume = is_positive(json_object_get(labels, "etcd_volume_size"));
	out->masters_count = masters > 0 && masters < MASTERS_MAX ? (int)masters : 0;
	return true;
}

static bool read_group(const json_t *json, struct group *out)
{
	int64_t count = json_int(json, "node_count", 0);
	const char *name = json_text_or(json, "name", "");
	*out = (struct group){
		.role = strcmp(json_text_or(json, "role", ""), "master") == 0 ? ROLE_MASTER : ROLE_WORKER,
		.node_count = count >= 0 && count < 1000000 ? (int)count : 0,
	};
	/* A group whose name does not fit cannot be any node's (the label's value is at most 63 characters). */
	(void)TEXT_COPY(out->name, name);
	return name[0] != '\0' && TEXT_COPY(out->id, json_text_or(json, "uuid", "")) &&
	       TEXT_COPY(out->stack_id, json_text_or(json, "stack_id", "")) &&
	       TEXT_COPY(out->status, json_text_or(json, "status", ""));
}

bool magnum_groups_read(const json_t *list, struct cluster_view *out, struct err *err)
{
	const json_t *groups = json_object_get(list, "nodegroups");
	if (!json_is_array(groups))
		return fail(err, ERR_REMOTE, "Magnum's list of node groups is not one");
	if (json_array_size(groups) > GROUPS_MAX)
		return fail(err, ERR_LIMIT, "the cluster has more than %d node groups", GROUPS_MAX);
	size_t i;
	json_t *group;
	out->groups_count = 0;
	json_array_foreach(groups, i, group) {
		if (!read_group(group, &out->groups[i]))
			return fail(err, ERR_REMOTE, "node group %zu of the cluster has no usable name, uuid or status",
				    i);
	}
	out->groups_count = i;
	return true;
}
