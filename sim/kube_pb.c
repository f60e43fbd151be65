#include "sim/kube_pb.h"

#include <string.h>

#include "base/jsonx.h"

/* ---- the wire -----------------------------------------------------------------------------------------------------
 */

/* buf_add() without its call for what fits: an encoded Node is some hundred small pieces. */
static inline void put(struct buf *out, const char *bytes, size_t n)
{
	if (n >= out->cap - out->n || n > out->bytes_max - out->n || out->cap == 0) {
		(void)buf_add(out, bytes, n); /* is_over stays for who sends it */
		return;
	}
	memcpy(out->p + out->n, bytes, n);
	out->n += n;
	out->p[out->n] = '\0';
}

static inline size_t varint(char *out, uint64_t value)
{
	size_t n = 0;
	while (value >= 0x80) {
		out[n++] = (char)(value | 0x80);
		value >>= 7;
	}
	out[n++] = (char)value;
	return n;
}

void pb_uint(struct buf *out, unsigned field, uint64_t value)
{
	char bytes[20];
	size_t n = varint(bytes, (uint64_t)field << 3);
	n += varint(bytes + n, value);
	put(out, bytes, n);
}

static void pb_bytes(struct buf *out, unsigned field, struct str bytes)
{
	char head[20];
	size_t n = varint(head, (uint64_t)field << 3 | 2);
	n += varint(head + n, bytes.n);
	put(out, head, n);
	put(out, bytes.p, bytes.n);
}

void pb_text(struct buf *out, unsigned field, const char *text)
{
	pb_bytes(out, field, str_of(text));
}

size_t pb_open(struct buf *out, unsigned field)
{
	char head[20];
	size_t n = varint(head, (uint64_t)field << 3 | 2);
	head[n++] = 0; /* most are shorter than 128 bytes, so that nothing has to move */
	put(out, head, n);
	return out->n;
}

void pb_close(struct buf *out, size_t opened)
{
	char length[10];
	if (out->is_over)
		return; /* whoever looks at is_over drops the whole */
	size_t n = out->n - opened;
	size_t length_n = varint(length, n);
	if (length_n > 1) {
		put(out, length + 1, length_n - 1); /* room for what moves */
		if (out->is_over)
			return;
		memmove(out->p + opened + length_n - 1, out->p + opened, n);
	}
	memcpy(out->p + opened - 1, length, length_n);
}

size_t pb_envelope_open(struct buf *out, const char *api_version, const char *kind)
{
	(void)buf_add(out, "k8s", 4);
	size_t type = pb_open(out, 1);
	pb_text(out, 1, api_version);
	pb_text(out, 2, kind);
	pb_close(out, type);
	return pb_open(out, 2);
}

void pb_envelope_close(struct buf *out, size_t opened)
{
	pb_close(out, opened);
	pb_text(out, 3, "");
	pb_text(out, 4, "");
}

struct pb_frame pb_frame_open(struct buf *out, const char *type, const char *kind)
{
	struct pb_frame frame = { .start = out->n };
	(void)buf_add(out, "\0\0\0", 4);
	pb_text(out, 1, type);
	frame.event = pb_open(out, 2);
	frame.raw = pb_open(out, 1);
	frame.object = pb_envelope_open(out, "v1", kind);
	return frame;
}

void pb_frame_close(struct buf *out, const struct pb_frame *frame)
{
	pb_envelope_close(out, frame->object);
	pb_close(out, frame->raw);
	pb_close(out, frame->event);
	if (out->is_over)
		return;
	size_t n = out->n - frame->start - 4;
	for (size_t i = 0; i < 4; i++)
		out->p[frame->start + i] = (char)(n >> (24 - 8 * i));
}

/* ---- Node ---------------------------------------------------------------------------------------------------------
 */

static void pb_time(struct buf *out, unsigned field, struct wall at)
{
	size_t time = pb_open(out, field);
	if (at.ms != 0) {
		pb_uint(out, 1, (uint64_t)(at.ms / 1000));
		pb_uint(out, 2, 0); /* metav1.Time has seconds only */
	}
	pb_close(out, time);
}

static void pb_pair(struct buf *out, unsigned field, const char *one, const char *two)
{
	size_t pair = pb_open(out, field);
	pb_text(out, 1, one);
	pb_text(out, 2, two);
	pb_close(out, pair);
}

static void pb_map(struct buf *out, unsigned field, const json_t *map)
{
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)map, key, value) {
		pb_pair(out, field, key, json_string_value(value));
	}
}

static void pb_managed_fields(struct buf *out, struct wall at)
{
	size_t entry = pb_open(out, 17);
	pb_text(out, 1, "kubelet");
	pb_text(out, 2, "Update");
	pb_text(out, 3, "v1");
	pb_time(out, 4, at);
	pb_text(out, 6, "FieldsV1");
	size_t fields = pb_open(out, 7);
	pb_bytes(out, 1, STR(KNODE_MANAGED_FIELDS));
	pb_close(out, fields);
	pb_text(out, 8, "");
	pb_close(out, entry);
}

static const char *rv_text(char out[24], uint64_t rv)
{
	char *at = out + 23;
	*at = '\0';
	do {
		*--at = (char)('0' + rv % 10);
		rv /= 10;
	} while (rv > 0);
	return at;
}

static void pb_metadata(struct buf *out, const struct knode *node)
{
	char rv[24];
	size_t meta = pb_open(out, 1);
	pb_text(out, 1, node->name);
	pb_text(out, 2, "");
	pb_text(out, 3, "");
	pb_text(out, 4, "");
	pb_text(out, 5, node->uid);
	pb_text(out, 6, rv_text(rv, node->rv));
	pb_uint(out, 7, 0);
	pb_time(out, 8, node->created);
	pb_map(out, 11, node->labels);
	pb_map(out, 12, node->annotations);
	pb_managed_fields(out, node->created);
	pb_close(out, meta);
}

static void pb_taint(struct buf *out, const char *key, const char *value, const char *effect, struct wall since)
{
	size_t taint = pb_open(out, 5);
	pb_text(out, 1, key);
	pb_text(out, 2, value);
	pb_text(out, 3, effect);
	if (since.ms != 0)
		pb_time(out, 4, since);
	pb_close(out, taint);
}

static void pb_spec(struct buf *out, const struct knode *node)
{
	size_t spec = pb_open(out, 2);
	pb_text(out, 1, "10.100.0.0/24");
	pb_text(out, 3, node->provider_id);
	pb_uint(out, 4, node->is_unschedulable);
	size_t i = 0;
	json_t *taint = NULL;
	json_array_foreach(node->taints, i, taint) {
		struct wall since = { 0 };
		(void)wall_parse(str_of(json_text(taint, "timeAdded")), &since); /* absent: unset */
		pb_taint(out, json_text_or(taint, "key", ""), json_text_or(taint, "value", ""),
			 json_text_or(taint, "effect", ""), since);
	}
	for (i = 0; i < KT_COUNT; i++) {
		if (node->taint_since[i].ms != 0)
			pb_taint(out, knode_taint_key((enum knode_taint)i), "", knode_taint_effect((enum knode_taint)i),
				 node->taint_since[i]);
	}
	pb_text(out, 6, "");
	pb_text(out, 7, "10.100.0.0/24");
	pb_close(out, spec);
}

static void pb_quantity(struct buf *out, unsigned field, const char *key, const char *quantity)
{
	size_t entry = pb_open(out, field);
	pb_text(out, 1, key);
	size_t value = pb_open(out, 2);
	pb_text(out, 1, quantity);
	pb_close(out, value);
	pb_close(out, entry);
}

static void pb_node_info(struct buf *out, const struct knode *node)
{
	const char *const texts[] = { node->machine_id, node->system_uuid,
				      node->boot_id,    KNODE_KERNEL,
				      KNODE_OS,         KNODE_RUNTIME,
				      KNODE_VERSION,    "",
				      "linux",          "amd64" };
	size_t info = pb_open(out, 7);
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
		pb_text(out, i + 1, texts[i]);
	pb_close(out, info);
}

static void pb_conditions(struct buf *out, const struct knode *node)
{
	for (int i = 0; i < KNODE_CONDITIONS; i++) {
		struct knode_condition c = knode_condition(node, i);
		size_t condition = pb_open(out, 4);
		pb_text(out, 1, c.type);
		pb_text(out, 2, c.status);
		pb_time(out, 3, c.heartbeat);
		pb_time(out, 4, c.since);
		pb_text(out, 5, c.reason);
		pb_text(out, 6, c.message);
		pb_close(out, condition);
	}
}

static void pb_status(struct buf *out, const struct knode *node)
{
	size_t status = pb_open(out, 3);
	pb_quantity(out, 1, "cpu", "4");
	pb_quantity(out, 1, "memory", "8144364Ki");
	pb_quantity(out, 1, "pods", "110");
	pb_text(out, 3, "");
	pb_conditions(out, node);
	pb_pair(out, 5, "InternalIP", node->address);
	pb_pair(out, 5, "Hostname", node->name);
	size_t endpoints = pb_open(out, 6);
	size_t kubelet = pb_open(out, 1);
	pb_uint(out, 1, 10250);
	pb_close(out, kubelet);
	pb_close(out, endpoints);
	pb_node_info(out, node);
	for (int i = 0; i < KNODE_IMAGES; i++) {
		size_t image = pb_open(out, 8);
		pb_text(out, 1, knode_images[i].name);
		pb_uint(out, 2, (uint64_t)knode_images[i].bytes);
		pb_close(out, image);
	}
	pb_close(out, status);
}

void knode_pb(struct buf *out, const struct knode *node)
{
	pb_metadata(out, node);
	pb_spec(out, node);
	pb_status(out, node);
}

void bookmark_pb(struct buf *out, const char *rv, bool is_initial_end, bool is_node)
{
	size_t meta = pb_open(out, 1);
	for (unsigned field = 1; field <= 5; field++)
		pb_text(out, field, "");
	pb_text(out, 6, rv);
	pb_uint(out, 7, 0);
	pb_time(out, 8, (struct wall){ 0 });
	if (is_initial_end)
		pb_pair(out, 12, "k8s.io/initial-events-end", "true");
	pb_close(out, meta);
	if (!is_node)
		return;
	size_t spec = pb_open(out, 2);
	pb_text(out, 1, "");
	pb_text(out, 3, "");
	pb_uint(out, 4, 0);
	pb_text(out, 6, "");
	pb_close(out, spec);
}

/* ---- ConfigMap, Lease --------------------------------------------------------------------------------------------
 */

static void pb_object_meta(struct buf *out, const json_t *metadata)
{
	struct wall created = { 0 };
	size_t meta = pb_open(out, 1);
	(void)wall_parse(str_of(json_text(metadata, "creationTimestamp")), &created); /* absent: unset */
	pb_text(out, 1, json_text_or(metadata, "name", ""));
	pb_text(out, 2, "");
	pb_text(out, 3, json_text_or(metadata, "namespace", ""));
	pb_text(out, 4, "");
	pb_text(out, 5, json_text_or(metadata, "uid", ""));
	pb_text(out, 6, json_text_or(metadata, "resourceVersion", ""));
	pb_uint(out, 7, 0);
	pb_time(out, 8, created);
	pb_map(out, 11, json_object_get(metadata, "labels"));
	pb_map(out, 12, json_object_get(metadata, "annotations"));
	pb_close(out, meta);
}

void configmap_pb(struct buf *out, const json_t *doc)
{
	pb_object_meta(out, json_object_get(doc, "metadata"));
	pb_map(out, 2, json_object_get(doc, "data"));
}

static void pb_micro_time(struct buf *out, unsigned field, struct wall at)
{
	size_t time = pb_open(out, field);
	pb_uint(out, 1, (uint64_t)(at.ms / 1000));
	pb_uint(out, 2, (uint64_t)(at.ms % 1000) * 1000000);
	pb_close(out, time);
}

void lease_pb(struct buf *out, const struct klease *lease)
{
	size_t meta = pb_open(out, 1);
	pb_text(out, 1, lease->name);
	pb_text(out, 2, "");
	pb_text(out, 3, lease->ns);
	pb_text(out, 4, "");
	pb_text(out, 5, "");
	pb_text(out, 6, lease->rv);
	pb_close(out, meta);
	size_t spec = pb_open(out, 2);
	pb_text(out, 1, lease->holder);
	pb_uint(out, 2, (uint64_t)lease->duration_s);
	pb_micro_time(out, 4, lease->renewed);
	pb_close(out, spec);
}

void list_meta_pb(struct buf *out, const char *rv, const char *next, int64_t remaining)
{
	size_t meta = pb_open(out, 1);
	pb_text(out, 1, "");
	pb_text(out, 2, rv);
	pb_text(out, 3, next);
	if (remaining >= 0)
		pb_uint(out, 4, (uint64_t)remaining);
	pb_close(out, meta);
}

/* ---- Status -------------------------------------------------------------------------------------------------------
 */

static bool has_details(const struct kstatus *status)
{
	return status->kind != NULL || status->name != NULL || status->cause_message != NULL ||
	       status->retry_after_s > 0;
}

void kstatus_pb(struct buf *out, const struct kstatus *status)
{
	list_meta_pb(out, "", "", -1);
	pb_text(out, 2, status->code < 300 ? "Success" : "Failure");
	pb_text(out, 3, status->message);
	pb_text(out, 4, status->reason);
	if (has_details(status)) {
		size_t details = pb_open(out, 5);
		pb_text(out, 1, status->name);
		pb_text(out, 2, status->group);
		pb_text(out, 3, status->kind);
		if (status->cause_message != NULL) {
			size_t cause = pb_open(out, 4);
			pb_text(out, 1, status->cause_reason);
			pb_text(out, 2, status->cause_message);
			pb_text(out, 3, status->cause_field);
			pb_close(out, cause);
		}
		pb_uint(out, 5, (uint64_t)status->retry_after_s);
		pb_text(out, 6, status->uid);
		pb_close(out, details);
	}
	pb_uint(out, 6, (uint64_t)status->code);
}

static void json_member(struct buf *out, bool *first, const char *key, const char *value)
{
	if (value == NULL)
		return;
	(void)buf_printf(out, "%s\"%s\":", *first ? "" : ",", key);
	(void)buf_json(out, value);
	*first = false;
}

static void json_details(struct buf *out, const struct kstatus *status)
{
	bool first = true;
	(void)buf_text(out, ",\"details\":{");
	json_member(out, &first, "name", status->name);
	json_member(out, &first, "group", status->group);
	json_member(out, &first, "kind", status->kind);
	json_member(out, &first, "uid", status->uid);
	if (status->cause_message != NULL) {
		bool first_of_cause = true;
		(void)buf_printf(out, "%s\"causes\":[{", first ? "" : ",");
		json_member(out, &first_of_cause, "reason", status->cause_reason);
		json_member(out, &first_of_cause, "message", status->cause_message);
		json_member(out, &first_of_cause, "field", status->cause_field);
		(void)buf_text(out, "}]");
		first = false;
	}
	if (status->retry_after_s > 0)
		(void)buf_printf(out, "%s\"retryAfterSeconds\":%d", first ? "" : ",", status->retry_after_s);
	(void)buf_char(out, '}');
}

void kstatus_json(struct buf *out, const struct kstatus *status)
{
	bool first = false;
	(void)buf_printf(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"%s\"",
			 status->code < 300 ? "Success" : "Failure");
	json_member(out, &first, "message", status->message);
	json_member(out, &first, "reason", status->reason);
	if (has_details(status))
		json_details(out, status);
	if (status->code >= 300)
		(void)buf_printf(out, ",\"code\":%d", status->code);
	(void)buf_char(out, '}');
}
