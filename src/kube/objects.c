/* Bodies and paths. Written by hand into a bounded buffer: small, ordered, and compared as texts in tests. */
#include "kube/objects.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "core/facts.h"

#define MANAGER "magnum-auto-healer"
#define CONTROLLER "openstack.org/magnum-auto-healer"
#define BODY_BYTES_MAX ((size_t)2 << 20) /* the API server takes 3 MiB, etcd 1.5 */
#define NOTE_BYTES_MAX 1024
#define MESSAGE_BYTES_MAX 512
#define LEASE_SECONDS_MAX 86400

static const char *keep(struct arena *arena, struct buf *buf)
{
	const char *text = arena_strdup(arena, buf_cstr(buf));
	buf_done(buf);
	return text;
}

static const char *keep_json(struct arena *arena, const json_t *json)
{
	struct buf buf;
	buf_init(&buf, BODY_BYTES_MAX);
	(void)buf_json_doc(&buf, json); /* cut only beyond what the server would take */
	return keep(arena, &buf);
}

/* {"a":"b"} of a text pair, as an object of its own. */
static void set_text(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_string(value));
}

/* "PREFIX" NAME "SUFFIX", the name percent-encoded. */
static const char *path_of(struct arena *arena, const char *prefix, const char *ns, const char *kind, const char *name,
			   const char *suffix)
{
	struct buf path;
	buf_init(&path, 4096);
	(void)buf_text(&path, prefix);
	if (ns != NULL) {
		(void)buf_text(&path, "/namespaces/");
		(void)buf_urlencode(&path, ns);
	}
	(void)buf_printf(&path, "/%s", kind);
	if (name != NULL) {
		(void)buf_char(&path, '/');
		(void)buf_urlencode(&path, name);
	}
	(void)buf_text(&path, suffix);
	return keep(arena, &path);
}

/* --- nodes --- */

static const char *cordon_patch(struct arena *arena, const char *uid, json_t *unschedulable, json_t *mark)
{
	json_t *annotations = json_object();
	json_object_set_new(annotations, ANNOTATION_CORDONED, mark);
	json_t *metadata = json_object();
	if (uid[0] != '\0')
		set_text(metadata, "uid", uid); /* another node of that name: 422 */
	json_object_set_new(metadata, "annotations", annotations);
	json_t *patch = json_pack("{s:o,s:{s:o}}", "metadata", metadata, "spec", "unschedulable", unschedulable);
	const char *text = keep_json(arena, patch);
	json_decref(patch);
	return text;
}

const char *patch_cordon(struct arena *arena, const char *uid, const char *case_id)
{
	return cordon_patch(arena, uid, json_true(), json_string(case_id));
}

const char *patch_uncordon(struct arena *arena, const char *uid)
{
	return cordon_patch(arena, uid, json_null(), json_null());
}

const char *patch_annotation(struct arena *arena, const char *uid, const char *key, const char *value)
{
	json_t *annotations = json_object();
	json_object_set_new(annotations, key, value != NULL ? json_string(value) : json_null());
	json_t *metadata = json_object();
	if (uid[0] != '\0')
		set_text(metadata, "uid", uid);
	json_object_set_new(metadata, "annotations", annotations);
	json_t *patch = json_pack("{s:o}", "metadata", metadata);
	const char *text = keep_json(arena, patch);
	json_decref(patch);
	return text;
}

const char *delete_node_body(struct arena *arena, const char *uid)
{
	json_t *body = json_pack("{s:s,s:s}", "apiVersion", "v1", "kind", "DeleteOptions");
	if (uid[0] != '\0')
		json_object_set_new(body, "preconditions", json_pack("{s:s}", "uid", uid));
	const char *text = keep_json(arena, body);
	json_decref(body);
	return text;
}

const char *node_path(struct arena *arena, const char *name)
{
	return path_of(arena, "/api/v1", NULL, "nodes", name, "?fieldManager=" MANAGER);
}

/* --- the lease --- */

#define COORDINATION "/apis/coordination.k8s.io/v1"

const char *lease_path(struct arena *arena, const char *ns, const char *name)
{
	return path_of(arena, COORDINATION, ns, "leases", name, "");
}

const char *leases_path(struct arena *arena, const char *ns)
{
	return path_of(arena, COORDINATION, ns, "leases", NULL, "");
}

static bool time_take(const json_t *object, const char *path, struct wall *out)
{
	const char *text = json_text(object, path);
	*out = (struct wall){ 0 };
	return text == NULL || wall_parse(str_of(text), out);
}

bool lease_read(const json_t *object, struct lease_record *out, struct err *err)
{
	struct lease_record record = { .duration_ms = 0 };
	int64_t seconds = json_int(object, "spec.leaseDurationSeconds", 0);
	int64_t transitions = json_int(object, "spec.leaseTransitions", 0);
	const char *holder = json_text_or(object, "spec.holderIdentity", "");
	const char *version = json_text_or(object, "metadata.resourceVersion", "");
	const char *kind = json_text_or(object, "kind", "Lease");
	if (!json_is_object(object) || !text_eq(kind, "Lease"))
		return fail(err, ERR_REMOTE, "the answer is not a Lease but a %.40s", kind);
	if (version[0] == '\0' || !TEXT_COPY(record.resource_version, version))
		return fail(err, ERR_REMOTE, "the Lease has no usable resourceVersion");
	if (!TEXT_COPY(record.holder, holder))
		return fail(err, ERR_REMOTE, "the Lease's holder has more than %d characters",
			    LEASE_IDENTITY_BYTES - 1);
	if (seconds < 0 || seconds > LEASE_SECONDS_MAX)
		return fail(err, ERR_REMOTE, "the Lease's duration of %lld s makes no sense", (long long)seconds);
	if (!time_take(object, "spec.acquireTime", &record.acquired) ||
	    !time_take(object, "spec.renewTime", &record.renewed))
		return fail(err, ERR_REMOTE, "a time of the Lease is not a time");
	record.duration_ms = seconds * SEC;
	record.transitions = transitions < 0 ? 0 : transitions > INT32_MAX ? INT32_MAX : (int32_t)transitions;
	*out = record;
	return true;
}

/* The object KEY of OBJECT; made when it is not there or is something else. */
static json_t *child(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	if (json_is_object(value))
		return value;
	json_object_set_new(object, key, json_object());
	return json_object_get(object, key);
}

static void set_micro_time(json_t *object, const char *key, struct wall at)
{
	char text[WALL_TEXT_BYTES];
	if (at.ms == 0)
		json_object_del(object, key);
	else
		set_text(object, key, wall_format_micro(at, text));
}

const char *lease_body(struct arena *arena, const char *ns, const char *name, const json_t *read_before,
		       const struct lease_record *record)
{
	json_t *lease = read_before != NULL ? json_deep_copy(read_before) : json_object();
	set_text(lease, "apiVersion", "coordination.k8s.io/v1");
	set_text(lease, "kind", "Lease");
	json_t *metadata = child(lease, "metadata");
	set_text(metadata, "name", name);
	set_text(metadata, "namespace", ns);
	if (record->resource_version[0] != '\0')
		set_text(metadata, "resourceVersion", record->resource_version);
	else if (read_before == NULL)
		json_object_del(metadata, "resourceVersion");
	json_object_del(metadata, "managedFields"); /* 1 KB that the server keeps by itself */
	json_t *spec = child(lease, "spec");
	set_text(spec, "holderIdentity", record->holder);
	json_object_set_new(spec, "leaseDurationSeconds", json_integer((record->duration_ms + SEC - 1) / SEC));
	set_micro_time(spec, "acquireTime", record->acquired);
	set_micro_time(spec, "renewTime", record->renewed);
	json_object_set_new(spec, "leaseTransitions", json_integer(record->transitions));
	const char *text = keep_json(arena, lease);
	json_decref(lease);
	return text;
}

/* --- ConfigMap --- */

const char *configmap_path(struct arena *arena, const char *ns, const char *name)
{
	return path_of(arena, "/api/v1", ns, "configmaps", name, "");
}

const char *configmaps_path(struct arena *arena, const char *ns)
{
	return path_of(arena, "/api/v1", ns, "configmaps", NULL, "");
}

static const char *configmap_end(struct arena *arena, struct buf *body, const char *key, const char *value)
{
	(void)buf_text(body, "},\"data\":{");
	(void)buf_json(body, key);
	(void)buf_char(body, ':');
	(void)buf_json(body, value);
	(void)buf_text(body, "}}");
	return keep(arena, body);
}

const char *configmap_body(struct arena *arena, const char *ns, const char *name, const char *key, const char *value)
{
	struct buf body;
	buf_init(&body, BODY_BYTES_MAX);
	(void)buf_text(&body, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":");
	(void)buf_json(&body, name);
	(void)buf_text(&body, ",\"namespace\":");
	(void)buf_json(&body, ns);
	return configmap_end(arena, &body, key, value);
}

const char *configmap_patch(struct arena *arena, const char *resource_version, const char *key, const char *value)
{
	struct buf body;
	buf_init(&body, BODY_BYTES_MAX);
	(void)buf_text(&body, "{\"metadata\":{\"resourceVersion\":");
	(void)buf_json(&body, resource_version);
	return configmap_end(arena, &body, key, value);
}

/* --- events --- */

/* The longest beginning of TEXT that has at most BYTES bytes and no cut character. */
static size_t cut_utf8(const char *text, size_t bytes)
{
	size_t n = strlen(text);
	if (n <= bytes)
		return n;
	n = bytes;
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* Bytes that are not UTF-8 grow to U+FFFD in JSON: so they are replaced first, and cut then. */
static const char *note_of(struct arena *arena, const char *note)
{
	struct buf json;
	buf_init(&json, BODY_BYTES_MAX);
	(void)buf_json(&json, note);
	json_t *text = json_loads(buf_cstr(&json), JSON_DECODE_ANY, NULL);
	buf_done(&json);
	char *clean = arena_strdup(arena, text != NULL ? json_string_value(text) : "");
	json_decref(text);
	clean[cut_utf8(clean, NOTE_BYTES_MAX)] = '\0';
	return clean;
}

/* NODE.hex: a DNS name of at most 253 characters. */
static const char *event_name(struct arena *arena, const struct event_text *event)
{
	char hex[24];
	(void)snprintf(hex, sizeof hex, ".%016llx", (unsigned long long)event->unique);
	size_t room = NODE_NAME_BYTES - 1 - strlen(hex);
	size_t n = strlen(event->node);
	n = n < room ? n : room;
	while (n > 0 && (event->node[n - 1] == '.' || event->node[n - 1] == '-'))
		n--; /* a part of a DNS name ends with a letter or digit */
	char *name = arena_printf(arena, "%.*s%s", (int)n, event->node, hex);
	for (char *c = name; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return name;
}

const char *event_body(struct arena *arena, const struct event_text *event)
{
	char at[WALL_TEXT_BYTES];
	bool is_named = event->instance != NULL && event->instance[0] != '\0'; /* the server insists on a name */
	json_t *body = json_pack("{s:s,s:s,s:{s:s,s:s},s:s,s:s,s:s,s:s,s:s,s:{s:s,s:s,s:s},s:s,s:s}", "apiVersion",
				 "events.k8s.io/v1", "kind", "Event", "metadata", "name", event_name(arena, event),
				 "namespace", "default", "eventTime", wall_format_micro(event->at, at), "type",
				 event->is_warning ? "Warning" : "Normal", "reason", event->reason, "action",
				 event->action, "note", note_of(arena, event->note), "regarding", "apiVersion", "v1",
				 "kind", "Node", "name", event->node, "reportingController", CONTROLLER,
				 "reportingInstance", is_named ? event->instance : MANAGER);
	if (body == NULL)
		return "{}"; /* a text that is not UTF-8: the server will say what it thinks of it */
	if (event->node_uid[0] != '\0')
		set_text(json_object_get(body, "regarding"), "uid", event->node_uid);
	const char *text = keep_json(arena, body);
	json_decref(body);
	return text;
}

/* --- errors --- */

static bool is_text(struct str body)
{
	for (size_t i = 0; i < body.n; i++) {
		unsigned char c = (unsigned char)body.p[i];
		if (c < ' ' && c != '\n' && c != '\t' && c != '\r')
			return false;
	}
	return body.n > 0 && body.p[0] != '<' && body.p[0] != '{';
}

const char *status_message(struct arena *arena, int status, const json_t *json, struct str body)
{
	const char *message = json_text(json, "message");
	struct str text = str_of(message);
	if (text.n == 0 && is_text(body))
		text = body;
	if (text.n == 0)
		return arena_printf(arena, "HTTP %d", status);
	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r' || text.p[text.n - 1] == ' '))
		text.n--;
	char *out = arena_alloc(arena, text.n + 1);
	memcpy(out, text.p, text.n);
	out[cut_utf8(out, MESSAGE_BYTES_MAX)] = '\0';
	return out;
}
