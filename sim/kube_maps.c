/* Lists and watches of ConfigMaps, by name or of a whole namespace, in JSON and protobuf. What a watch may ask for
 * again is a short ring of versions; older than that is 410. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "sim/kube_impl.h"

static const char *const type_names[] = { "ADDED", "MODIFIED", "DELETED" };

/* As an item of a list it has no kind; in a stream it has. */
static void map_json(struct buf *out, const json_t *doc, bool with_kind)
{
	const char *before = with_kind ? "," : "";
	const char *key = NULL;
	json_t *value = NULL;
	(void)buf_text(out, with_kind ? "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"" : "{");
	json_object_foreach((json_t *)doc, key, value) {
		if (strcmp(key, "kind") == 0 || strcmp(key, "apiVersion") == 0)
			continue;
		(void)buf_text(out, before);
		(void)buf_json(out, key);
		(void)buf_char(out, ':');
		(void)buf_json_doc(out, value);
		before = ",";
	}
	(void)buf_char(out, '}');
}

static void map_frame(struct buf *out, bool is_pb, enum kevent_type type, const json_t *doc)
{
	if (is_pb) {
		struct pb_frame frame = pb_frame_open(out, type_names[type], "ConfigMap");
		configmap_pb(out, doc);
		pb_frame_close(out, &frame);
		return;
	}
	(void)buf_printf(out, "{\"type\":\"%s\",\"object\":", type_names[type]);
	map_json(out, doc, true);
	(void)buf_text(out, "}\n");
}

static bool is_for(const struct kwatch *watch, const char *ns, const char *name)
{
	return strcmp(watch->ns, ns) == 0 && (watch->only[0] == '\0' || strcmp(watch->only, name) == 0);
}

/* ---- the history --------------------------------------------------------------------------------------------------
 */

static void remember(struct sim_kube *kube, enum kevent_type type, const struct kobject *row)
{
	struct kmap_event *slot = &kube->maps[kube->maps_next];
	if (kube->maps_count == KUBE_MAP_HISTORY) {
		if (slot->rv > kube->maps_compacted_rv)
			kube->maps_compacted_rv = slot->rv;
		json_decref(slot->doc);
	} else {
		kube->maps_count++;
	}
	*slot = (struct kmap_event){ .type = type, .rv = row->rv, .doc = json_incref(row->doc) };
	(void)TEXT_COPY(slot->ns, row->ns);
	(void)TEXT_COPY(slot->name, row->name);
	kube->maps_next = (kube->maps_next + 1) % KUBE_MAP_HISTORY;
}

void kube_maps_forget(struct sim_kube *kube)
{
	for (size_t i = 0; i < kube->maps_count; i++)
		json_decref(kube->maps[i].doc);
	kube->maps_count = 0;
	kube->maps_next = 0;
	kube->maps_compacted_rv = kube->rv;
}

void kube_map_event(struct sim_kube *kube, enum kevent_type type, const struct kobject *row)
{
	bool has_frame[2] = { false, false };
	remember(kube, type, row);
	for (size_t i = 0; i < kube->watches_count; i++) {
		struct kwatch *watch = kube->watches[i];
		struct buf *frame = watch->is_pb ? &kube->frame_pb : &kube->frame_json;
		if (watch->id == 0 || watch->kind != KWATCH_MAPS || row->rv <= watch->after_rv ||
		    watch->ends_after_pending || !is_for(watch, row->ns, row->name))
			continue;
		if (!has_frame[watch->is_pb]) {
			buf_clear(frame);
			map_frame(frame, watch->is_pb, type, row->doc);
			has_frame[watch->is_pb] = true;
		}
		kube_watch_send(kube, watch, frame);
	}
}

void kube_maps_first(const struct sim_kube *kube, struct kwatch *watch)
{
	const struct kobjects *maps = &kube->objects[KOBJECT_CONFIGMAP];
	for (size_t i = 0; i < maps->count; i++) {
		if (is_for(watch, maps->rows[i].ns, maps->rows[i].name))
			map_frame(&watch->pending, watch->is_pb, KEVENT_ADDED, maps->rows[i].doc);
	}
}

void kube_maps_replay(const struct sim_kube *kube, struct kwatch *watch, uint64_t after_rv)
{
	size_t first = (kube->maps_next + KUBE_MAP_HISTORY - kube->maps_count) % KUBE_MAP_HISTORY;
	for (size_t i = 0; i < kube->maps_count; i++) {
		const struct kmap_event *event = &kube->maps[(first + i) % KUBE_MAP_HISTORY];
		if (event->rv > after_rv && is_for(watch, event->ns, event->name))
			map_frame(&watch->pending, watch->is_pb, event->type, event->doc);
	}
}

/* ---- requests -----------------------------------------------------------------------------------------------------
 */

bool kube_maps_selector(struct kcall *call, char out_name[254])
{
	const char *label = kcall_param(call, "labelSelector");
	const char *field = kcall_param(call, "fieldSelector");
	out_name[0] = '\0';
	if (label != NULL && label[0] != '\0') {
		kcall_fail(call, 400, "BadRequest", "label selectors of ConfigMaps are not simulated");
		return false;
	}
	if (field == NULL || field[0] == '\0')
		return true;
	size_t n = strcspn(field, "=");
	const char *name = field + n + (field[n] == '=') + (field[n] == '=' && field[n + 1] == '=');
	if (n == strlen("metadata.name") && text_starts(field, "metadata.name=") && strpbrk(name, ",=!") == NULL &&
	    text_copy(out_name, 254, name))
		return true;
	kcall_fail(call, 400, "BadRequest", "field label not supported: %.100s", field);
	return false;
}

void kube_map_answer(struct kcall *call, int status, const json_t *doc)
{
	kcall_header(call, status, "application/vnd.kubernetes.protobuf");
	size_t envelope = pb_envelope_open(&call->out->body, "v1", "ConfigMap");
	configmap_pb(&call->out->body, doc);
	pb_envelope_close(&call->out->body, envelope);
}

/* All in one page: there are not many. */
void kube_maps_list(struct kcall *call, const char *ns)
{
	const struct kobjects *maps = &call->kube->objects[KOBJECT_CONFIGMAP];
	struct buf *out = &call->out->body;
	char rv[24];
	struct kwatch wanted = { .kind = KWATCH_MAPS };
	if (!kube_maps_selector(call, wanted.only))
		return;
	(void)TEXT_COPY(wanted.ns, ns);
	(void)snprintf(rv, sizeof rv, "%" PRIu64, call->kube->rv);
	kcall_header(call, 200, call->is_pb ? "application/vnd.kubernetes.protobuf" : "application/json");
	size_t envelope = 0;
	const char *before = "";
	if (call->is_pb) {
		envelope = pb_envelope_open(out, "v1", "ConfigMapList");
		list_meta_pb(out, rv, "", -1);
	} else {
		(void)buf_printf(out,
				 "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
				 "\"%s\"},\"items\":[",
				 rv);
	}
	for (size_t i = 0; i < maps->count; i++) {
		if (!is_for(&wanted, maps->rows[i].ns, maps->rows[i].name))
			continue;
		if (call->is_pb) {
			size_t item = pb_open(out, 2);
			configmap_pb(out, maps->rows[i].doc);
			pb_close(out, item);
			continue;
		}
		(void)buf_text(out, before);
		map_json(out, maps->rows[i].doc, false);
		before = ",";
	}
	if (call->is_pb)
		pb_envelope_close(out, envelope);
	else
		(void)buf_text(out, "]}");
}
