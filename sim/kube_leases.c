/* The kubelets' own Leases in kube-node-lease, made up when somebody asks: a kubelet that lives has renewed its Lease
 * at the last of its moments (each 10 s, at a phase of its own), a dead one when it was last alive; and nothing is
 * renewed while the API server is down. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "sim/kube_impl.h"

#define NODE_LEASES "kube-node-lease"
#define GROUP "coordination.k8s.io"
#define RENEW_MS (10 * SEC)
#define DURATION_S 40
#define LIMIT_MAX 100000

static int64_t phase_of(const char *name)
{
	uint64_t hash = UINT64_C(1469598103934665603);
	for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++)
		hash = (hash ^ *c) * UINT64_C(1099511628211);
	return (int64_t)((hash >> 16) % (uint64_t)RENEW_MS);
}

/* The last of its moments that is not after AT. */
static int64_t moment(int64_t at_ms, int64_t phase_ms)
{
	int64_t past = (at_ms - phase_ms) % RENEW_MS;
	return at_ms - (past >= 0 ? past : past + RENEW_MS);
}

static struct wall renewed(const struct sim_kube *kube, const struct kentry *entry)
{
	int64_t now_ms = kube->now.mono.ms;
	int64_t phase_ms = phase_of(entry->node->name);
	int64_t last_ms = moment(entry->died_at.ms != 0 ? entry->died_at.ms : now_ms, phase_ms);
	if (kube->down_at.ms != 0 && last_ms >= kube->down_at.ms && last_ms < kube->up_at.ms)
		last_ms = moment(kube->down_at.ms, phase_ms);
	if (last_ms < entry->alive_since.ms)
		last_ms = entry->alive_since.ms; /* the first thing that a kubelet does */
	return (struct wall){ kube->now.wall.ms - (now_ms - last_ms) };
}

static void put(struct kcall *call, const struct kentry *entry, bool is_item)
{
	struct buf *out = &call->out->body;
	struct klease lease = { .name = entry->node->name,
				.ns = NODE_LEASES,
				.holder = entry->node->name,
				.duration_s = DURATION_S,
				.renewed = renewed(call->kube, entry) };
	char rv[24];
	char text[WALL_TEXT_BYTES];
	(void)snprintf(rv, sizeof rv, "%" PRId64, lease.renewed.ms / RENEW_MS);
	lease.rv = rv;
	if (call->is_pb) {
		lease_pb(out, &lease);
		return;
	}
	(void)buf_printf(out,
			 "{%s\"metadata\":{\"name\":\"%s\",\"namespace\":\"" NODE_LEASES
			 "\",\"resourceVersion\":\"%s\"},"
			 "\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":%d,\"renewTime\":\"%s\"}}",
			 is_item ? "" : "\"kind\":\"Lease\",\"apiVersion\":\"" GROUP "/v1\",", lease.name, rv,
			 lease.holder, lease.duration_s, wall_format_micro(lease.renewed, text));
}

static const char *form(const struct kcall *call)
{
	return call->is_pb ? "application/vnd.kubernetes.protobuf" : "application/json";
}

static void answer_one(struct kcall *call, const struct kentry *entry)
{
	kcall_header(call, 200, form(call));
	if (!call->is_pb) {
		put(call, entry, false);
		return;
	}
	size_t envelope = pb_envelope_open(&call->out->body, GROUP "/v1", "Lease");
	put(call, entry, false);
	pb_envelope_close(&call->out->body, envelope);
}

static void answer_page(struct kcall *call, size_t from, size_t to, const char *next)
{
	const struct sim_kube *kube = call->kube;
	struct buf *out = &call->out->body;
	char rv[24];
	int64_t remaining = next[0] != '\0' ? (int64_t)(kube->entries_count - to) : -1;
	(void)snprintf(rv, sizeof rv, "%" PRIu64, kube->rv);
	kcall_header(call, 200, form(call));
	if (call->is_pb) {
		size_t envelope = pb_envelope_open(out, GROUP "/v1", "LeaseList");
		list_meta_pb(out, rv, next, remaining);
		for (size_t i = from; i < to; i++) {
			size_t item = pb_open(out, 2);
			put(call, &kube->entries[i], true);
			pb_close(out, item);
		}
		pb_envelope_close(out, envelope);
		return;
	}
	(void)buf_printf(
		out, "{\"kind\":\"LeaseList\",\"apiVersion\":\"" GROUP "/v1\",\"metadata\":{\"resourceVersion\":\"%s\"",
		rv);
	if (remaining >= 0)
		(void)buf_printf(out, ",\"continue\":\"%s\",\"remainingItemCount\":%" PRId64, next, remaining);
	(void)buf_text(out, "},\"items\":[");
	for (size_t i = from; i < to; i++) {
		if (i > from)
			(void)buf_char(out, ',');
		put(call, &kube->entries[i], true);
	}
	(void)buf_text(out, "]}");
}

/* Where the page begins that a token asks for: behind the last name of the page before. False: answered. */
static bool begin(struct kcall *call, size_t *out_from)
{
	const char *token = kcall_param(call, "continue");
	char plain[400];
	*out_from = 0;
	if (token == NULL || token[0] == '\0')
		return true;
	json_t *json = kube_token_decode(token, plain, sizeof plain) ? json_parse(str_of(plain), NULL) : NULL;
	const char *after = json_text(json, "after");
	int64_t rv = json_int(json, "rv", -1);
	bool is_good = after != NULL && rv > 0;
	if (!is_good)
		kcall_fail(call, 400, "BadRequest", "continue key is not valid");
	else if ((uint64_t)rv < call->kube->compacted_rv)
		kcall_fail(call, 410, "Expired",
			   "The provided continue parameter is too old to display a consistent list result.");
	while (is_good && *out_from < call->kube->entries_count &&
	       strcmp(call->kube->entries[*out_from].node->name, after) <= 0)
		(*out_from)++;
	json_decref(json);
	return call->out->status == 0;
}

static void list(struct kcall *call)
{
	const struct sim_kube *kube = call->kube;
	uint64_t limit = 0;
	size_t from = 0;
	char next[600] = "";
	if (!kube_number(kcall_param(call, "limit"), 0, &limit)) {
		kcall_fail(call, 400, "BadRequest", "limit: Invalid value");
		return;
	}
	if (!begin(call, &from))
		return;
	if (limit == 0 || limit > LIMIT_MAX)
		limit = LIMIT_MAX;
	size_t rest = kube->entries_count - from;
	size_t to = from + (limit < rest ? limit : rest);
	if (to < kube->entries_count) {
		char plain[400];
		(void)snprintf(plain, sizeof plain, "{\"v\":1,\"rv\":%" PRIu64 ",\"after\":\"%s\"}", kube->rv,
			       kube->entries[to - 1].node->name);
		kube_token_encode(next, sizeof next, plain);
	}
	answer_page(call, from, to, next);
}

void kube_leases_call(struct kcall *call, const char *name)
{
	const struct kentry *entry = name != NULL ? kube_find(call->kube, name) : NULL;
	if (!kcall_is(call, "GET") || kcall_param(call, "watch") != NULL)
		kcall_fail(call, 405, "MethodNotAllowed", "the kubelets write these");
	else if (name != NULL && entry == NULL)
		kcall_not_found(call, GROUP, "leases", name);
	else if (entry != NULL)
		answer_one(call, entry);
	else
		list(call);
}
