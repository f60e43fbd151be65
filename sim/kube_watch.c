/* Lists and watches of Nodes: history ring, streams with their bookmarks and ends, and snapshots for paged lists.
 *
 * A stream's first bytes (initial events, replayed history, 410) wait in `pending` for the next advance. From then on
 * each event is encoded once per form and handed to every stream. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/kube_impl.h"

#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define PIECE_BYTES 16384 /* a stream's first bytes come in pieces, cut anywhere */
#define LIMIT_MAX 100000

static const char *const type_names[] = { "ADDED", "MODIFIED", "DELETED" };

/* ---- frames -------------------------------------------------------------------------------------------------------
 */

static void node_frame(struct buf *out, bool is_pb, enum kevent_type type, const struct knode *node)
{
	if (is_pb) {
		struct pb_frame frame = pb_frame_open(out, type_names[type], "Node");
		knode_pb(out, node);
		pb_frame_close(out, &frame);
		return;
	}
	(void)buf_printf(out, "{\"type\":\"%s\",\"object\":", type_names[type]);
	knode_json(out, node, true);
	(void)buf_text(out, "}\n");
}

static void bookmark_frame(struct buf *out, const struct kwatch *watch, uint64_t rv, bool is_initial_end)
{
	bool is_node = watch->kind == KWATCH_NODES;
	const char *kind = is_node ? "Node" : "ConfigMap";
	char text[24];
	(void)snprintf(text, sizeof text, "%" PRIu64, rv);
	if (watch->is_pb) {
		struct pb_frame frame = pb_frame_open(out, "BOOKMARK", kind);
		bookmark_pb(out, text, is_initial_end, is_node);
		pb_frame_close(out, &frame);
		return;
	}
	(void)buf_printf(out,
			 "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"v1\",\"metadata\":{"
			 "\"resourceVersion\":\"%s\",\"creationTimestamp\":null%s}%s}}\n",
			 kind, text, is_initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "",
			 is_node ? ",\"spec\":{},\"status\":{\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":0}},"
				   "\"nodeInfo\":{}}"
				 : "");
}

static void expired_frame(struct buf *out, bool is_pb, uint64_t rv, uint64_t compacted_rv)
{
	char message[96];
	(void)snprintf(message, sizeof message, "too old resource version: %" PRIu64 " (%" PRIu64 ")", rv,
		       compacted_rv);
	struct kstatus status = { .code = 410, .reason = "Expired", .message = message };
	if (is_pb) {
		struct pb_frame frame = pb_frame_open(out, "ERROR", "Status");
		kstatus_pb(out, &status);
		pb_frame_close(out, &frame);
		return;
	}
	(void)buf_text(out, "{\"type\":\"ERROR\",\"object\":");
	kstatus_json(out, &status);
	(void)buf_text(out, "}\n");
}

/* ---- streams ------------------------------------------------------------------------------------------------------
 */

static void watch_free(struct kwatch *watch)
{
	buf_done(&watch->pending);
	free(watch);
}

static void sweep(struct sim_kube *kube)
{
	size_t kept = 0;
	for (size_t i = 0; i < kube->watches_count; i++) {
		if (kube->watches[i]->id != 0)
			kube->watches[kept++] = kube->watches[i];
		else
			watch_free(kube->watches[i]);
	}
	kube->watches_count = kept;
}

static void send(struct sim_kube *kube, const struct kwatch *watch, struct str bytes)
{
	if (watch->id != 0 && kube->opts.stream_bytes != NULL)
		kube->opts.stream_bytes(kube->opts.ctx, watch->id, bytes);
}

static void end(struct sim_kube *kube, struct kwatch *watch, bool is_clean)
{
	uint64_t id = watch->id;
	watch->id = 0;
	if (id != 0 && kube->opts.stream_end != NULL)
		kube->opts.stream_end(kube->opts.ctx, id, is_clean);
}

static void flush(struct sim_kube *kube, struct kwatch *watch)
{
	size_t sent = 0;
	bool is_over = watch->pending.is_over;
	while (sent < watch->pending.n && watch->id != 0) {
		size_t n = watch->pending.n - sent < PIECE_BYTES ? watch->pending.n - sent : PIECE_BYTES;
		send(kube, watch, (struct str){ watch->pending.p + sent, n });
		sent += n;
	}
	buf_done(&watch->pending);
	if (watch->ends_after_pending || is_over)
		end(kube, watch, !is_over);
}

void sim_kube_stream_closed(struct sim_kube *kube, uint64_t stream)
{
	for (size_t i = 0; i < kube->watches_count; i++) {
		if (kube->watches[i]->id == stream)
			kube->watches[i]->id = 0;
	}
}

void sim_kube_drop_watches(struct sim_kube *kube, bool is_clean)
{
	for (size_t i = 0; i < kube->watches_count; i++)
		end(kube, kube->watches[i], is_clean);
}

static void remember(struct sim_kube *kube, enum kevent_type type, struct knode *node)
{
	struct kevent *slot = &kube->history[kube->history_next];
	if (kube->history_count == KUBE_HISTORY) {
		if (slot->node->rv > kube->compacted_rv)
			kube->compacted_rv = slot->node->rv;
		knode_unref(slot->node);
	} else {
		kube->history_count++;
	}
	*slot = (struct kevent){ type, knode_ref(node) };
	kube->history_next = (kube->history_next + 1) % KUBE_HISTORY;
}

void kube_watch_send(struct sim_kube *kube, struct kwatch *watch, const struct buf *frame)
{
	if (watch->pending.n > 0)
		(void)buf_add(&watch->pending, frame->p, frame->n); /* over: it ends with the flush */
	else
		send(kube, watch, buf_str(frame));
}

void kube_watch_event(struct sim_kube *kube, enum kevent_type type, struct knode *node)
{
	bool has_frame[2] = { false, false };
	remember(kube, type, node);
	for (size_t i = 0; i < kube->watches_count; i++) {
		struct kwatch *watch = kube->watches[i];
		struct buf *frame = watch->is_pb ? &kube->frame_pb : &kube->frame_json;
		if (watch->kind != KWATCH_NODES || watch->id == 0 || node->rv <= watch->after_rv ||
		    watch->ends_after_pending)
			continue;
		if (!has_frame[watch->is_pb]) {
			buf_clear(frame);
			node_frame(frame, watch->is_pb, type, node);
			has_frame[watch->is_pb] = true;
		}
		kube_watch_send(kube, watch, frame);
	}
}

static void bookmark(struct sim_kube *kube, struct kwatch *watch)
{
	struct buf *frame = watch->is_pb ? &kube->frame_pb : &kube->frame_json;
	buf_clear(frame);
	bookmark_frame(frame, watch, kube->rv > watch->after_rv ? kube->rv : watch->after_rv, false);
	send(kube, watch, buf_str(frame));
}

void kube_watch_advance(struct sim_kube *kube)
{
	sweep(kube);
	for (size_t i = 0; i < kube->watches_count; i++) {
		struct kwatch *watch = kube->watches[i];
		if (watch->pending.n > 0)
			flush(kube, watch);
		bool is_at_end = watch->id != 0 && kube->now.mono.ms >= watch->ends_at.ms;
		if (watch->has_bookmarks && (is_at_end || kube->now.mono.ms >= watch->bookmark_at.ms)) {
			watch->bookmark_at.ms = kube->now.mono.ms + BOOKMARK_MS;
			bookmark(kube, watch);
		}
		if (is_at_end)
			end(kube, watch, true);
	}
}

int64_t kube_watch_next_ms(const struct sim_kube *kube)
{
	int64_t next_ms = NEVER;
	for (size_t i = 0; i < kube->watches_count; i++) {
		const struct kwatch *watch = kube->watches[i];
		if (watch->id == 0)
			continue;
		int64_t due_ms = watch->ends_at.ms;
		if (watch->has_bookmarks && watch->bookmark_at.ms < due_ms)
			due_ms = watch->bookmark_at.ms;
		if (watch->pending.n > 0)
			due_ms = kube->now.mono.ms;
		if (due_ms < next_ms)
			next_ms = due_ms;
	}
	return next_ms;
}

/* ---- watch requests -----------------------------------------------------------------------------------------------
 */

bool kube_number(const char *text, uint64_t otherwise, uint64_t *out)
{
	*out = otherwise;
	if (text == NULL || text[0] == '\0')
		return true;
	if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 18)
		return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

static bool has_selector(struct kcall *call, enum kwatch_kind kind)
{
	char name[254];
	if (kind == KWATCH_MAPS)
		return !kube_maps_selector(call, name);
	const char *label = kcall_param(call, "labelSelector");
	const char *field = kcall_param(call, "fieldSelector");
	if ((label == NULL || label[0] == '\0') && (field == NULL || field[0] == '\0'))
		return false;
	kcall_fail(call, 400, "BadRequest", "selectors of nodes are not simulated");
	return true;
}

static void forbidden_option(struct kcall *call, const char *field, const char *why)
{
	char message[512];
	(void)snprintf(message, sizeof message, "ListOptions.meta.k8s.io \"\" is invalid: %s: Forbidden: %s", field,
		       why);
	kcall_status(call, &(struct kstatus){ .code = 422,
					      .reason = "Invalid",
					      .message = message,
					      .group = "meta.k8s.io",
					      .kind = "ListOptions",
					      .cause_reason = "FieldValueForbidden",
					      .cause_message = why,
					      .cause_field = field });
}

static void too_large_version(struct kcall *call, uint64_t rv)
{
	char message[128];
	(void)snprintf(message, sizeof message, "Too large resource version: %" PRIu64 ", current: %" PRIu64, rv,
		       call->kube->rv);
	kcall_status(call, &(struct kstatus){ .code = 504,
					      .reason = "Timeout",
					      .message = message,
					      .cause_reason = "ResourceVersionTooLarge",
					      .cause_message = "Too large resource version",
					      .cause_field = "",
					      .retry_after_s = 1 });
}

/* True: the request may be served; false: answered. */
static bool watch_options_are_valid(struct kcall *call, enum kwatch_kind kind)
{
	const char *initial = kcall_param(call, "sendInitialEvents");
	const char *match = kcall_param(call, "resourceVersionMatch");
	if (has_selector(call, kind))
		return false;
	if (initial == NULL && match != NULL) {
		forbidden_option(call, "resourceVersionMatch",
				 "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
		return false;
	}
	if (initial == NULL)
		return true;
	if (!call->kube->opts.has_watch_list)
		forbidden_option(
			call, "sendInitialEvents",
			"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled");
	else if (match == NULL)
		forbidden_option(call, "resourceVersionMatch",
				 "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
	else if (strcmp(match, "NotOlderThan") != 0)
		forbidden_option(call, "resourceVersionMatch",
				 "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
	else
		return true;
	return false;
}

static void replay(const struct sim_kube *kube, struct kwatch *watch, uint64_t after_rv)
{
	if (watch->kind == KWATCH_MAPS) {
		kube_maps_replay(kube, watch, after_rv);
		return;
	}
	size_t first = (kube->history_next + KUBE_HISTORY - kube->history_count) % KUBE_HISTORY;
	for (size_t i = 0; i < kube->history_count; i++) {
		const struct kevent *event = &kube->history[(first + i) % KUBE_HISTORY];
		if (event->node->rv > after_rv)
			node_frame(&watch->pending, watch->is_pb, event->type, event->node);
	}
}

static void all_objects(const struct sim_kube *kube, struct kwatch *watch)
{
	if (watch->kind == KWATCH_MAPS) {
		kube_maps_first(kube, watch);
		return;
	}
	for (size_t i = 0; i < kube->entries_count; i++)
		node_frame(&watch->pending, watch->is_pb, KEVENT_ADDED, kube->entries[i].node);
}

static void first_bytes(struct kcall *call, struct kwatch *watch, uint64_t rv)
{
	const struct sim_kube *kube = call->kube;
	uint64_t compacted_rv = watch->kind == KWATCH_MAPS ? kube->maps_compacted_rv : kube->compacted_rv;
	bool is_initial = text_eq(kcall_param(call, "sendInitialEvents"), "true") ||
			  text_eq(kcall_param(call, "sendInitialEvents"), "1");
	bool is_plain_start = rv == 0 && kcall_param(call, "sendInitialEvents") == NULL;
	if (is_initial || is_plain_start) {
		all_objects(kube, watch);
		if (is_initial && watch->has_bookmarks)
			bookmark_frame(&watch->pending, watch, kube->rv, true);
	} else if (rv > 0 && rv < compacted_rv) {
		expired_frame(&watch->pending, watch->is_pb, rv, compacted_rv);
		watch->ends_after_pending = true;
	} else if (rv > 0) {
		watch->after_rv = rv; /* a future one: silence until then */
		replay(kube, watch, rv);
	}
}

void kube_watch_call(struct kcall *call, enum kwatch_kind kind, const char *ns)
{
	struct sim_kube *kube = call->kube;
	uint64_t rv = 0;
	uint64_t timeout_s = 0;
	sweep(kube);
	/* Unset: 30 to 60 minutes, spread by the stream's number instead of by chance. */
	uint64_t default_s = 1800 + kube->stream_last * 577 % 1800;
	if (!kube_number(kcall_param(call, "resourceVersion"), 0, &rv) ||
	    !kube_number(kcall_param(call, "timeoutSeconds"), default_s, &timeout_s)) {
		kcall_fail(call, 400, "BadRequest", "resourceVersion: Invalid value");
		return;
	}
	if (!watch_options_are_valid(call, kind))
		return;
	if (rv > kube->rv && kcall_param(call, "sendInitialEvents") != NULL) {
		too_large_version(call, rv);
		return;
	}
	if (kube->watches_count == KUBE_WATCHES_MAX) {
		kcall_status(call, &(struct kstatus){ .code = 429,
						      .reason = "TooManyRequests",
						      .message = "Too many requests, please try again later.",
						      .retry_after_s = 1 });
		return;
	}
	struct kwatch *watch = xcalloc(1, sizeof *watch);
	const char *bookmarks = kcall_param(call, "allowWatchBookmarks");
	watch->id = ++kube->stream_last;
	watch->kind = kind;
	if (kind == KWATCH_MAPS) {
		(void)TEXT_COPY(watch->ns, ns); /* cut: a namespace that has none */
		(void)kube_maps_selector(call, watch->only);
	}
	watch->is_pb = call->is_pb;
	watch->has_bookmarks = text_eq(bookmarks, "true") || text_eq(bookmarks, "1");
	timeout_s = timeout_s == 0 ? default_s : timeout_s < 86400 ? timeout_s : 86400;
	watch->ends_at.ms = kube->now.mono.ms + (int64_t)timeout_s * SEC;
	watch->bookmark_at.ms = kube->now.mono.ms + BOOKMARK_MS;
	buf_init(&watch->pending, KUBE_STREAM_BYTES_MAX);
	first_bytes(call, watch, rv);
	kube->watches[kube->watches_count++] = watch;
	kcall_header(call, 200, call->is_pb ? PROTOBUF ";stream=watch" : "application/json");
	call->out->stream = watch->id;
}

/* ---- lists --------------------------------------------------------------------------------------------------------
 */

static void snapshot_free(struct ksnapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++)
		knode_unref(snapshot->nodes[i]);
	free(snapshot->nodes);
	*snapshot = (struct ksnapshot){ 0 };
}

void sim_kube_compact(struct sim_kube *kube)
{
	kube->compacted_rv = kube->rv;
	for (size_t i = 0; i < kube->history_count; i++)
		knode_unref(kube->history[i].node);
	kube->history_count = 0;
	kube->history_next = 0;
	for (size_t i = 0; i < KUBE_SNAPSHOTS; i++)
		snapshot_free(&kube->snapshots[i]);
	kube_maps_forget(kube);
}

void kube_watch_done(struct sim_kube *kube)
{
	sim_kube_compact(kube);
	for (size_t i = 0; i < kube->watches_count; i++)
		watch_free(kube->watches[i]);
	kube->watches_count = 0;
}

static struct ksnapshot *snapshot_now(struct sim_kube *kube)
{
	for (size_t i = 0; i < KUBE_SNAPSHOTS; i++) {
		if (kube->snapshots[i].rv == kube->rv && kube->snapshots[i].count == kube->entries_count)
			return &kube->snapshots[i];
	}
	struct ksnapshot *snapshot = &kube->snapshots[kube->snapshot_next];
	kube->snapshot_next = (kube->snapshot_next + 1) % KUBE_SNAPSHOTS;
	snapshot_free(snapshot);
	snapshot->rv = kube->rv;
	snapshot->count = kube->entries_count;
	snapshot->nodes = xcalloc(kube->entries_count + 1, sizeof *snapshot->nodes);
	for (size_t i = 0; i < kube->entries_count; i++)
		snapshot->nodes[i] = knode_ref(kube->entries[i].node);
	return snapshot;
}

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void kube_token_encode(char *out, size_t out_bytes, const char *text)
{
	size_t n = 0;
	unsigned bits = 0;
	int have = 0;
	for (; *text != '\0'; text++) {
		bits = bits << 8 | (unsigned char)*text;
		for (have += 8; have >= 6 && n + 2 < out_bytes; have -= 6)
			out[n++] = base64url[bits >> (have - 6) & 63];
	}
	if (have > 0)
		out[n++] = base64url[bits << (6 - have) & 63];
	out[n] = '\0';
}

bool kube_token_decode(const char *token, char *out, size_t out_bytes)
{
	size_t n = 0;
	unsigned bits = 0;
	int have = 0;
	for (; *token != '\0'; token++) {
		const char *at = strchr(base64url, *token);
		if (at == NULL || n + 1 >= out_bytes)
			return false;
		bits = bits << 6 | (unsigned)(at - base64url);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (char)(bits >> have & 0xff);
		}
	}
	out[n] = '\0';
	return n > 0;
}

/* What of a snapshot is answered now. */
struct page {
	uint64_t rv;
	struct knode *const *nodes;
	size_t from, to, count;
};

static void answer_list(struct kcall *call, const struct page *page)
{
	char rv[24];
	char plain[64];
	char next[96] = "";
	struct buf *body = &call->out->body;
	bool is_last = page->to == page->count;
	int64_t remaining = is_last ? -1 : (int64_t)(page->count - page->to);
	(void)snprintf(rv, sizeof rv, "%" PRIu64, page->rv);
	(void)snprintf(plain, sizeof plain, "{\"v\":1,\"rv\":%" PRIu64 ",\"from\":%zu}", page->rv, page->to);
	if (!is_last)
		kube_token_encode(next, sizeof next, plain);
	kcall_header(call, 200, call->is_pb ? PROTOBUF : "application/json");
	if (call->is_pb) {
		size_t envelope = pb_envelope_open(body, "v1", "NodeList");
		list_meta_pb(body, rv, next, remaining);
		for (size_t i = page->from; i < page->to; i++) {
			size_t item = pb_open(body, 2);
			knode_pb(body, page->nodes[i]);
			pb_close(body, item);
		}
		pb_envelope_close(body, envelope);
		return;
	}
	(void)buf_printf(body, "{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"%s\"",
			 rv);
	if (!is_last)
		(void)buf_printf(body, ",\"continue\":\"%s\",\"remainingItemCount\":%" PRId64, next, remaining);
	(void)buf_text(body, "},\"items\":[");
	for (size_t i = page->from; i < page->to; i++) {
		if (i > page->from)
			(void)buf_char(body, ',');
		knode_json(body, page->nodes[i], false);
	}
	(void)buf_text(body, "]}");
}

static void continue_list(struct kcall *call, const char *token, size_t limit)
{
	char plain[64];
	json_t *json = kube_token_decode(token, plain, sizeof plain) ? json_parse(str_of(plain), NULL) : NULL;
	int64_t rv = json_int(json, "rv", -1);
	int64_t from = json_int(json, "from", -1);
	json_decref(json);
	if (rv <= 0 || from < 0) {
		kcall_fail(call, 400, "BadRequest", "continue key is not valid");
		return;
	}
	for (size_t i = 0; i < KUBE_SNAPSHOTS; i++) {
		const struct ksnapshot *snapshot = &call->kube->snapshots[i];
		if (snapshot->rv != (uint64_t)rv || (size_t)from > snapshot->count)
			continue;
		size_t rest = snapshot->count - (size_t)from;
		answer_list(call, &(struct page){ snapshot->rv, snapshot->nodes, (size_t)from,
						  (size_t)from + (limit < rest ? limit : rest), snapshot->count });
		return;
	}
	kcall_fail(call, 410, "Expired",
		   "The provided continue parameter is too old to display a consistent list result. You can start a "
		   "new list "
		   "without the continue parameter.");
}

/* Whether the version asked for can be had. False: answered. */
static bool version_is_there(struct kcall *call, uint64_t rv)
{
	const char *match = kcall_param(call, "resourceVersionMatch");
	if (match != NULL && kcall_param(call, "resourceVersion") == NULL)
		forbidden_option(call, "resourceVersionMatch",
				 "resourceVersionMatch is forbidden unless resourceVersion is provided");
	else if (rv > call->kube->rv)
		too_large_version(call, rv);
	else if (text_eq(match, "Exact") && rv != call->kube->rv)
		kcall_fail(call, 410, "Expired", "The resourceVersion for the provided list is too old.");
	else
		return true;
	return false;
}

void kube_list_call(struct kcall *call)
{
	struct sim_kube *kube = call->kube;
	uint64_t rv = 0;
	uint64_t limit = 0;
	const char *token = kcall_param(call, "continue");
	if (!kube_number(kcall_param(call, "resourceVersion"), 0, &rv) ||
	    !kube_number(kcall_param(call, "limit"), 0, &limit)) {
		kcall_fail(call, 400, "BadRequest", "resourceVersion or limit: Invalid value");
		return;
	}
	if (has_selector(call, KWATCH_NODES))
		return;
	bool is_any = rv == 0 && kcall_param(call, "resourceVersion") != NULL; /* "0": the limit is ignored */
	if (limit == 0 || is_any || limit > LIMIT_MAX)
		limit = LIMIT_MAX;
	if (token != NULL && token[0] != '\0') {
		continue_list(call, token, limit);
		return;
	}
	if (!version_is_there(call, rv))
		return;
	const struct ksnapshot *snapshot = snapshot_now(kube);
	size_t n = limit < snapshot->count ? limit : snapshot->count;
	answer_list(call, &(struct page){ snapshot->rv, snapshot->nodes, 0, n, snapshot->count });
}
