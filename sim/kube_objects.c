/* Leases, ConfigMaps and Events of the simulated API server, kept as JSON. What is written is checked as the real one
 * checks it: resourceVersions, MicroTimes, sizes, required fields. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/kube_impl.h"

#define CONFIGMAP_BYTES_MAX (1U << 20)
#define NOTE_BYTES_MAX 1024
#define EVENT_FIELD_BYTES_MAX 128

static const struct {
	const char *group, *api_version, *kind, *plural;
} kinds[KOBJECT_KINDS] = {
	[KOBJECT_LEASE] = { "coordination.k8s.io", "coordination.k8s.io/v1", "Lease", "leases" },
	[KOBJECT_CONFIGMAP] = { "", "v1", "ConfigMap", "configmaps" },
	[KOBJECT_EVENT] = { "events.k8s.io", "events.k8s.io/v1", "Event", "events" },
};

/* ---- storage ------------------------------------------------------------------------------------------------------
 */

const struct kobject *kube_object_find(const struct sim_kube *kube, enum kobject_kind kind, const char *ns,
				       const char *name)
{
	const struct kobjects *objects = &kube->objects[kind];
	for (size_t i = 0; i < objects->count; i++) {
		const struct kobject *row = &objects->rows[i];
		if (strcmp(row->name, name) == 0 && strcmp(row->ns, ns) == 0)
			return row;
	}
	return NULL;
}

static void row_done(struct kobject *row)
{
	json_decref(row->doc);
	buf_done(&row->text);
}

void kube_objects_done(struct sim_kube *kube)
{
	for (size_t kind = 0; kind < KOBJECT_KINDS; kind++) {
		for (size_t i = 0; i < kube->objects[kind].count; i++)
			row_done(&kube->objects[kind].rows[i]);
		free(kube->objects[kind].rows);
	}
}

static void drop_oldest(struct kobjects *objects)
{
	row_done(&objects->rows[0]);
	objects->count--;
	memmove(&objects->rows[0], &objects->rows[1], objects->count * sizeof objects->rows[0]);
}

static struct kobject *append(struct sim_kube *kube, enum kobject_kind kind, const char *ns, const char *name)
{
	struct kobjects *objects = &kube->objects[kind];
	size_t most = kind == KOBJECT_EVENT ? KUBE_EVENTS_KEPT : KUBE_OBJECTS_MAX;
	struct kobject row = { 0 };
	if (!TEXT_COPY(row.ns, ns) || !TEXT_COPY(row.name, name))
		return NULL;
	buf_init(&row.text, 2 * KUBE_BODY_BYTES_MAX);
	if (objects->rows == NULL)
		objects->rows = xcalloc(most, sizeof objects->rows[0]);
	if (objects->count == most && kind != KOBJECT_EVENT)
		return NULL;
	if (objects->count == most)
		drop_oldest(objects);
	objects->rows[objects->count] = row;
	return &objects->rows[objects->count++];
}

/* Takes DOC as the row's new content, with the server's own metadata. */
static void store(struct sim_kube *kube, enum kobject_kind kind, struct kobject *row, json_t *doc)
{
	bool is_new = row->doc == NULL;
	char rv[24];
	char text[WALL_TEXT_BYTES];
	char uid[40];
	json_t *metadata = json_object_get(doc, "metadata");
	const json_t *old = json_object_get(row->doc, "metadata");
	row->rv = ++kube->rv;
	(void)snprintf(rv, sizeof rv, "%" PRIu64, row->rv);
	json_object_set_new(metadata, "name", json_string(row->name));
	json_object_set_new(metadata, "namespace", json_string(row->ns));
	if (old != NULL) {
		json_object_set(metadata, "uid", json_object_get(old, "uid"));
		json_object_set(metadata, "creationTimestamp", json_object_get(old, "creationTimestamp"));
	} else {
		kube_uid(kube, uid);
		json_object_set_new(metadata, "uid", json_string(uid));
		json_object_set_new(metadata, "creationTimestamp", json_string(wall_format(kube->now.wall, text)));
	}
	json_object_set_new(metadata, "resourceVersion", json_string(rv));
	json_decref(row->doc);
	row->doc = doc;
	buf_clear(&row->text);
	if (kind == KOBJECT_CONFIGMAP)
		kube_map_event(kube, is_new ? KEVENT_ADDED : KEVENT_MODIFIED, row);
}

/* Standbys read a Lease again and again: its text is made once a version. */
static void answer_row(struct kcall *call, int status, struct kobject *row)
{
	if (call->is_pb) {
		kube_map_answer(call, status, row->doc);
		return;
	}
	if (row->text.n == 0)
		(void)buf_json_doc(&row->text, row->doc);
	kcall_header(call, status, "application/json");
	if (row->text.is_over)
		call->out->body.is_over = true; /* becomes a 500 */
	else
		(void)buf_add(&call->out->body, row->text.p, row->text.n);
}

static void answer_doc(struct kcall *call, int status, const json_t *doc)
{
	if (call->is_pb)
		kube_map_answer(call, status, doc);
	else
		kcall_json(call, status, doc);
}

void sim_kube_write_map(struct sim_kube *kube, struct now now, const char *ns, const char *name, const char *key,
			const char *text)
{
	kube->now = now;
	struct kobject *row = (struct kobject *)kube_object_find(kube, KOBJECT_CONFIGMAP, ns, name);
	if (kube->is_down || (row == NULL && text == NULL))
		return;
	if (row == NULL && (row = append(kube, KOBJECT_CONFIGMAP, ns, name)) == NULL)
		return;
	json_t *doc = row->doc != NULL ? json_deep_copy(row->doc)
				       : json_pack("{s:s, s:s, s:{}, s:{}}", "kind", "ConfigMap", "apiVersion", "v1",
						   "metadata", "data");
	json_t *data = json_object_get(doc, "data");
	if (!json_is_object(data)) {
		data = json_object();
		json_object_set_new(doc, "data", data);
	}
	if (text != NULL)
		json_object_set_new(data, key, json_string(text));
	else
		json_object_del(data, key);
	store(kube, KOBJECT_CONFIGMAP, row, doc);
}

/* ---- what may be written ------------------------------------------------------------------------------------------
 */

/* 2026-11-22T15:47:10.652185Z: exactly six digits, or the real one cannot parse it. */
static bool is_micro_time(const json_t *value)
{
	const char *text = json_string_value(value);
	struct wall at;
	return text != NULL && strlen(text) >= 27 && text[19] == '.' && strspn(text + 20, "0123456789") == 6 &&
	       wall_parse(str_of(text), &at);
}

static bool micro_times_are_right(struct kcall *call, const json_t *parent, const char *const *keys, const char *kind)
{
	for (; *keys != NULL; keys++) {
		const json_t *value = json_object_get(parent, *keys);
		if (value == NULL || json_is_null(value) || is_micro_time(value))
			continue;
		kcall_fail(call, 400, "BadRequest",
			   "%s in version \"v1\" cannot be handled as a %s: parsing time \"%.60s\" as "
			   "\"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as \".000000\"",
			   kind, kind, json_is_string(value) ? json_string_value(value) : "");
		return false;
	}
	return true;
}

static bool lease_is_right(struct kcall *call, const json_t *doc, const char *name)
{
	static const char *const times[] = { "acquireTime", "renewTime", NULL };
	const json_t *spec = json_object_get(doc, "spec");
	const json_t *seconds = json_object_get(spec, "leaseDurationSeconds");
	const json_t *transitions = json_object_get(spec, "leaseTransitions");
	const json_t *holder = json_object_get(spec, "holderIdentity");
	if (!micro_times_are_right(call, spec, times, "Lease"))
		return false;
	if ((spec != NULL && !json_is_object(spec)) || (seconds != NULL && !json_is_integer(seconds)) ||
	    (transitions != NULL && !json_is_integer(transitions)) || (holder != NULL && !json_is_string(holder)))
		kcall_fail(
			call, 400, "BadRequest",
			"Lease in version \"v1\" cannot be handled as a Lease: json: cannot unmarshal a field of spec");
	else if (seconds != NULL && json_integer_value(seconds) <= 0)
		kcall_invalid(call, "Lease", name, "spec.leaseDurationSeconds",
			      "Invalid value: must be greater than 0");
	else if (transitions != NULL && json_integer_value(transitions) < 0)
		kcall_invalid(call, "Lease", name, "spec.leaseTransitions",
			      "Invalid value: must be greater than or equal to 0");
	else
		return true;
	return false;
}

static bool configmap_is_right(struct kcall *call, const json_t *doc, const char *name)
{
	const json_t *data = json_object_get(doc, "data");
	const char *key = NULL;
	json_t *value = NULL;
	size_t bytes = 0;
	bool is_text = data == NULL || json_is_object(data);
	json_object_foreach((json_t *)data, key, value) {
		is_text = is_text && json_is_string(value);
		bytes += strlen(key) + json_string_length(value);
	}
	if (!is_text)
		kcall_fail(call, 400, "BadRequest",
			   "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal a "
			   "field of data "
			   "into Go struct field ConfigMap.data of type string");
	else if (bytes > CONFIGMAP_BYTES_MAX)
		kcall_invalid(call, "ConfigMap", name, "", "Too long: may not be more than 1048576 bytes");
	else
		return true;
	return false;
}

static bool event_texts_are_right(struct kcall *call, const json_t *doc, const char *name)
{
	static const char *const required[] = { "reportingController", "reportingInstance", "action", "reason" };
	for (size_t i = 0; i < COUNT(required); i++) {
		const char *text = json_text_or(doc, required[i], "");
		if (text[0] != '\0' && strlen(text) <= EVENT_FIELD_BYTES_MAX)
			continue;
		kcall_invalid(call, "Event", name, required[i],
			      text[0] == '\0' ? "Required value" : "can have at most 128 characters");
		return false;
	}
	return true;
}

static bool event_is_right(struct kcall *call, const json_t *doc, const char *name, const char *ns)
{
	static const char *const times[] = { "eventTime", NULL };
	static const char *const series_times[] = { "lastObservedTime", NULL };
	const json_t *series = json_object_get(doc, "series");
	const char *type = json_text_or(doc, "type", "");
	const char *about = json_text_or(doc, "regarding.namespace", "");
	if (!micro_times_are_right(call, doc, times, "Event") ||
	    !micro_times_are_right(call, series, series_times, "Event"))
		return false;
	if (!json_is_string(json_object_get(doc, "eventTime"))) {
		kcall_invalid(call, "Event", name, "eventTime", "Required value");
		return false;
	}
	if (!event_texts_are_right(call, doc, name))
		return false;
	if (strcmp(type, "Normal") != 0 && strcmp(type, "Warning") != 0)
		kcall_invalid(call, "Event", name, "type", "Invalid value: has invalid value");
	else if (strlen(json_text_or(doc, "note", "")) > NOTE_BYTES_MAX)
		kcall_invalid(call, "Event", name, "note", "Invalid value: can have at most 1024 characters");
	else if (strcmp(about[0] != '\0' ? about : "default", ns) != 0)
		kcall_invalid(call, "Event", name, "involvedObject.namespace",
			      "Invalid value: does not match event.namespace");
	else if (series != NULL && json_int(series, "count", 0) < 2)
		kcall_invalid(call, "Event", name, "series.count", "Invalid value: should be at least 2");
	else
		return true;
	return false;
}

static bool is_right(struct kcall *call, enum kobject_kind kind, const json_t *doc, const char *ns, const char *name)
{
	const char *its_kind = json_text(doc, "kind");
	const char *its_version = json_text(doc, "apiVersion");
	if ((its_kind != NULL && strcmp(its_kind, kinds[kind].kind) != 0) ||
	    (its_version != NULL && strcmp(its_version, kinds[kind].api_version) != 0)) {
		kcall_fail(call, 400, "BadRequest", "the object in the body (%.60s %.60s) is not a %s %s", its_version,
			   its_kind, kinds[kind].api_version, kinds[kind].kind);
		return false;
	}
	switch (kind) {
	case KOBJECT_LEASE:
		return lease_is_right(call, doc, name);
	case KOBJECT_CONFIGMAP:
		return configmap_is_right(call, doc, name);
	case KOBJECT_EVENT:
		return event_is_right(call, doc, name, ns);
	case KOBJECT_KINDS:
		break;
	}
	return false;
}

/* Lower-case DNS subdomain. */
static bool is_name(const char *name)
{
	size_t n = strlen(name);
	bool was_letter = false;
	for (size_t i = 0; i < n; i++) {
		bool is_letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9');
		if (!is_letter && (!was_letter || name[i] != '.') && (name[i] != '-' || i == 0 || name[i - 1] == '.'))
			return false;
		was_letter = is_letter;
	}
	return n > 0 && n <= 253 && was_letter;
}

/* ---- requests -----------------------------------------------------------------------------------------------------
 */

static void create(struct kcall *call, enum kobject_kind kind, const char *ns)
{
	json_t *body = kcall_body(call, "application/json");
	if (body == NULL)
		return;
	char name[254] = "";
	bool fits = TEXT_COPY(name, json_text(body, "metadata.name"));
	const char *its_ns = json_text_or(body, "metadata.namespace", ns);
	if (strcmp(its_ns, ns) != 0) {
		kcall_fail(call, 400, "BadRequest",
			   "the namespace of the provided object does not match the namespace sent on the request");
	} else if (!fits || !is_name(name)) {
		kcall_invalid(call, kinds[kind].kind, name, "metadata.name",
			      name[0] != '\0'
				      ? "Invalid value: a lowercase RFC 1123 subdomain must consist of lower case "
					"alphanumeric characters, '-' or '.'"
				      : "Required value: name or generateName is required");
	} else if (json_text_or(body, "metadata.resourceVersion", "")[0] != '\0') {
		kcall_fail(call, 500, "InternalError", "resourceVersion should not be set on objects to be created");
	} else if (is_right(call, kind, body, ns, name)) {
		if (kube_object_find(call->kube, kind, ns, name) != NULL) {
			char message[400];
			(void)snprintf(message, sizeof message, "%s \"%s\" already exists", kinds[kind].plural, name);
			kcall_status(call, &(struct kstatus){ .code = 409,
							      .reason = "AlreadyExists",
							      .message = message,
							      .name = name,
							      .kind = kinds[kind].plural });
		} else if (kcall_is_dry(call)) {
			answer_doc(call, 201, body);
		} else {
			struct kobject *row = append(call->kube, kind, ns, name);
			if (row != NULL) {
				store(call->kube, kind, row, json_incref(body));
				answer_row(call, 201, row);
			} else {
				kcall_fail(call, 403, "Forbidden",
					   "exceeded quota: the simulation keeps no more objects");
			}
		}
	}
	json_decref(body);
}

/* Compares what the writer gives with what is there. False: answered. */
static bool preconditions(struct kcall *call, enum kobject_kind kind, const struct kobject *row, const json_t *metadata,
			  bool must_have_version)
{
	char rv[24];
	const char *given = json_text_or(metadata, "resourceVersion", "");
	const char *uid = json_text(metadata, "uid");
	(void)snprintf(rv, sizeof rv, "%" PRIu64, row->rv);
	if (given[0] == '\0' && must_have_version)
		kcall_invalid(call, kinds[kind].kind, row->name, "metadata.resourceVersion",
			      "Invalid value: 0: must be specified for an update");
	else if (uid != NULL && !text_eq(uid, json_text(row->doc, "metadata.uid")))
		kcall_conflict(call, kinds[kind].group, kinds[kind].plural, row->name,
			       "Precondition failed: UID in precondition does not match UID in object meta");
	else if (given[0] != '\0' && strcmp(given, rv) != 0)
		kcall_conflict(
			call, kinds[kind].group, kinds[kind].plural, row->name,
			"the object has been modified; please apply your changes to the latest version and try again");
	else
		return true;
	return false;
}

/* Stores DOC (which is taken over) unless it says what is there already. */
static void finish_write(struct kcall *call, enum kobject_kind kind, struct kobject *row, json_t *doc)
{
	if (kcall_is_dry(call) || json_equal(doc, row->doc)) {
		answer_doc(call, 200, doc);
		json_decref(doc);
		return;
	}
	store(call->kube, kind, row, doc);
	answer_row(call, 200, row);
}

static void replace(struct kcall *call, enum kobject_kind kind, struct kobject *row)
{
	json_t *body = kcall_body(call, "application/json");
	if (body == NULL)
		return;
	const json_t *metadata = json_object_get(body, "metadata");
	if (!text_eq(json_text(metadata, "name"), row->name) ||
	    strcmp(json_text_or(metadata, "namespace", row->ns), row->ns) != 0)
		kcall_fail(call, 400, "BadRequest",
			   "the name of the object (%.253s) does not match the name on the URL (%s)",
			   json_text_or(metadata, "name", ""), row->name);
	else if (is_right(call, kind, body, row->ns, row->name) && preconditions(call, kind, row, metadata, true))
		finish_write(call, kind, row, json_incref(body));
	json_decref(body);
}

/* RFC 7386, in place, but for the objects inside, which other versions share: those are copied. Depth is bounded by the
 * parser's. */
static void merge(json_t *into, const json_t *patch)
{
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)patch, key, value) {
		if (json_is_null(value)) {
			json_object_del(into, key);
			continue;
		}
		if (!json_is_object(value)) {
			json_object_set(into, key, value);
			continue;
		}
		json_t *old = json_object_get(into, key);
		json_t *merged = json_is_object(old) ? json_copy(old) : json_object();
		merge(merged, value);
		json_object_set_new(into, key, merged);
	}
}

static void patch(struct kcall *call, enum kobject_kind kind, struct kobject *row)
{
	json_t *body = kcall_body(call, "application/merge-patch+json");
	if (body == NULL)
		return;
	json_t *doc = json_copy(row->doc);
	const json_t *metadata = json_object_get(body, "metadata");
	json_object_set_new(doc, "metadata", json_copy(json_object_get(doc, "metadata"))); /* store() writes into it */
	if (preconditions(call, kind, row, metadata, false)) {
		merge(doc, body);
		if (!json_is_object(json_object_get(doc, "metadata")) ||
		    !text_eq(json_text(doc, "metadata.name"), row->name))
			kcall_invalid(call, kinds[kind].kind, row->name, "metadata.name",
				      "Invalid value: field is immutable");
		else if (is_right(call, kind, doc, row->ns, row->name))
			finish_write(call, kind, row, json_incref(doc));
	}
	json_decref(doc);
	json_decref(body);
}

static void list(struct kcall *call, enum kobject_kind kind, const char *ns)
{
	const struct kobjects *objects = &call->kube->objects[kind];
	const char *before = "";
	struct buf *body = &call->out->body;
	kcall_header(call, 200, "application/json");
	(void)buf_printf(body,
			 "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRIu64
			 "\"},\"items\":[",
			 kinds[kind].kind, kinds[kind].api_version, call->kube->rv);
	for (size_t i = 0; i < objects->count; i++) {
		if (strcmp(objects->rows[i].ns, ns) != 0)
			continue;
		(void)buf_text(body, before);
		(void)buf_json_doc(body, objects->rows[i].doc);
		before = ",";
	}
	(void)buf_text(body, "]}");
}

void kube_object_call(struct kcall *call, enum kobject_kind kind, const char *ns, const char *name)
{
	if (kind == KOBJECT_LEASE && strcmp(ns, "kube-node-lease") == 0) {
		kube_leases_call(call, name);
		return;
	}
	struct kobject *row = name != NULL ? (struct kobject *)kube_object_find(call->kube, kind, ns, name) : NULL;
	const char *watch = kcall_param(call, "watch");
	bool is_watch = text_eq(watch, "1") || text_eq(watch, "true");
	bool is_known = kcall_is(call, "GET") || kcall_is(call, "PUT") || kcall_is(call, "PATCH");
	if (name == NULL && kcall_is(call, "POST"))
		create(call, kind, ns);
	else if (name == NULL && kcall_is(call, "GET") && is_watch && kind == KOBJECT_CONFIGMAP)
		kube_watch_call(call, KWATCH_MAPS, ns);
	else if (name == NULL && kcall_is(call, "GET") && !is_watch && kind == KOBJECT_CONFIGMAP)
		kube_maps_list(call, ns);
	else if (name == NULL && kcall_is(call, "GET") && !is_watch)
		list(call, kind, ns);
	else if (name == NULL || !is_known || is_watch)
		kcall_fail(call, 405, "MethodNotAllowed",
			   "the server does not allow this method on the requested resource");
	else if (row == NULL)
		kcall_not_found(call, kinds[kind].group, kinds[kind].plural, name);
	else if (kcall_is(call, "GET"))
		answer_row(call, 200, row);
	else if (kcall_is(call, "PUT"))
		replace(call, kind, row);
	else
		patch(call, kind, row);
}
