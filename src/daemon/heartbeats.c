/* The kubelets' Leases, listed in rounds. A round that fails anywhere changes nothing: what was known grows old, and
 * what is old is unknown.
 *
 * A kubelet's clock may be wrong, so its renewTime is only compared for being another one than before; since when it
 * has stood still is measured by our clock. */
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon_int.h"
#include "kube/lease_list.h"
#include "kube/wire.h"

#define ROUND_MS_MAX (10 * SEC)      /* kubelets renew each 10 s: to look more rarely would see them late */
#define IDLE_ROUND_MS_MAX (30 * SEC) /* without the check it is only asked whether many are late */
#define ROUND_MS_MIN (1 * SEC)
#define PAGE_TIMEOUT_MS (10 * SEC)
#define FRESH_SLACK_MS (30 * SEC)
#define FORBIDDEN_PAUSE_MS (10 * MINUTE)
#define RESTARTS_MAX 2     /* of one round, because its continue token has expired */
#define LATE_MS (40 * SEC) /* what the kubelet's own Lease gives it: four renewals in a row are missing */

struct heartbeat_round {
	struct mono began;
	struct lease_times times;
	int restarts;
};

static int64_t clamp(int64_t ms, int64_t low, int64_t high)
{
	return ms < low ? low : ms > high ? high : ms;
}

/* 0: nobody wants to know. */
static int64_t round_ms(const struct daemon *daemon)
{
	int64_t interval_ms = daemon->opts.config->policy.monitor_interval_ms;
	if (checks_need_heartbeats(daemon->checks))
		return clamp(interval_ms, ROUND_MS_MIN, ROUND_MS_MAX);
	for (size_t i = 0; i < daemon->history.count; i++) {
		if (daemon->history.records[i].is_bad_now)
			return clamp(interval_ms, ROUND_MS_MAX, IDLE_ROUND_MS_MAX);
	}
	return 0;
}

static void round_free(struct daemon *daemon)
{
	call_cancel(daemon, daemon->heartbeats_call);
	daemon->heartbeats_call = 0;
	if (daemon->heartbeat_round == NULL)
		return;
	lease_times_done(&daemon->heartbeat_round->times);
	free(daemon->heartbeat_round);
	daemon->heartbeat_round = NULL;
}

static void round_failed(struct daemon *daemon, int64_t pause_ms, const char *why)
{
	round_free(daemon);
	daemon->heartbeats_due.ms = daemon->now.mono.ms + pause_ms;
	if (strcmp(daemon->heartbeats_trouble, why) != 0)
		LOG(daemon->opts.log, LOG_WARN, "heartbeat", "the Leases of the kubelets could not be listed",
		    { "why", why });
	(void)TEXT_COPY(daemon->heartbeats_trouble, why);
}

/* ---- a round ----------------------------------------------------------------------------------------------------- */

/* What is known of each Lease now; the old list and the new one are sorted by node. */
static struct heartbeat *merged(const struct heartbeats *old, const struct heartbeat_round *round)
{
	size_t at = 0;
	struct heartbeat *list = xcalloc(round->times.count + 1, sizeof *list);
	for (size_t i = 0; i < round->times.count; i++) {
		const struct lease_time *entry = &round->times.list[i];
		int order = 1;
		while (at < old->count && (order = strcmp(old->list[at].node, entry->node)) < 0)
			at++;
		const struct heartbeat *before = at < old->count && order == 0 ? &old->list[at] : NULL;
		(void)TEXT_COPY(list[i].node, entry->node);
		list[i].renewed = entry->renewed;
		list[i].seen = before != NULL ? before->seen : round->began;
		if (before != NULL)
			list[i].changed = before->renewed == entry->renewed ? before->changed : round->began;
	}
	return list;
}

static void heartbeats_replace(struct heartbeats *heartbeats, struct heartbeat *list, size_t count, struct mono listed)
{
	free((void *)heartbeats->list);
	*heartbeats = (struct heartbeats){ .is_fresh = list != NULL, .listed = listed, .list = list, .count = count };
}

static void round_done(struct daemon *daemon)
{
	struct heartbeat_round *round = daemon->heartbeat_round;
	size_t nodes = 0;
	(void)store_nodes(daemon->store, &nodes);
	lease_times_sort(&round->times);
	if (round->times.count == 0 && nodes > 0) { /* an empty list is not the truth */
		round_failed(daemon, ROUND_MS_MAX, "there are Nodes, but not one Lease of a kubelet");
		return;
	}
	if (daemon->heartbeats_trouble[0] != '\0')
		LOG(daemon->opts.log, LOG_INFO, "heartbeat", "the Leases of the kubelets are seen again",
		    { "leases", arena_printf(&daemon->arena, "%zu", round->times.count) });
	daemon->heartbeats_trouble[0] = '\0';
	heartbeats_replace(&daemon->heartbeats, merged(&daemon->heartbeats, round), round->times.count, round->began);
	daemon->heartbeats_due.ms = round->began.ms + round_ms(daemon);
	daemon->findings_version++;
	round_free(daemon);
}

static void page_ask(struct daemon *daemon)
{
	if (!kube_is_ready(daemon)) {
		round_failed(daemon, ROUND_MS_MAX, "no credentials for the API server");
		return;
	}
	struct http_request request = { 0 };
	access_request(daemon->access, &daemon->arena, "GET",
		       lease_times_path(&daemon->arena, &daemon->heartbeat_round->times), LEASES_ACCEPT, NULL,
		       (struct str){ 0 }, &request);
	request.timeout_ms = PAGE_TIMEOUT_MS;
	daemon->heartbeats_call = call_start(daemon, OWN_HEARTBEATS, &request);
	if (daemon->heartbeats_call == 0)
		round_failed(daemon, ROUND_MS_MAX, "too many requests are under way");
	else
		call_find(daemon, daemon->heartbeats_call)->way = access_way(daemon->access);
}

/* The server's own words, which come in the form that was asked for. */
static const char *refusal(struct daemon *daemon, const struct call *call)
{
	struct envelope envelope;
	struct kube_status status;
	if (call->answer.status == 0)
		return call->answer.why.text;
	if (envelope_read(call->answer.body, &envelope, NULL) && str_eq(envelope.kind, "Status") &&
	    kube_status_read(envelope.raw, &status, NULL) && status.message.n > 0)
		return arena_printf(&daemon->arena, "%.*s", (int)(status.message.n < 200 ? status.message.n : 200),
				    status.message.p);
	CLEANUP(json_decrefp) json_t *json = call_json(call);
	return status_message(&daemon->arena, call->answer.status, json, call->answer.body);
}

void heartbeats_heard(struct daemon *daemon, const struct call *call)
{
	struct heartbeat_round *round = daemon->heartbeat_round;
	struct err err = { 0 };
	if (round == NULL || call->id != daemon->heartbeats_call)
		return; /* the ticket is torn */
	daemon->heartbeats_call = 0;
	int status = call->answer.status;
	if (status == 401)
		access_refused(daemon->access, daemon->now);
	if (status == 410 && round->restarts < RESTARTS_MAX) {
		round->restarts++;
		lease_times_done(&round->times);
		page_ask(daemon);
	} else if (status != 200) {
		round_failed(daemon, status == 403 ? FORBIDDEN_PAUSE_MS : ROUND_MS_MAX, refusal(daemon, call));
	} else if (!lease_times_page(&round->times, &call->answer, &err)) {
		round_failed(daemon, ROUND_MS_MAX, err.text);
	} else if (round->times.continue_token[0] != '\0') {
		page_ask(daemon);
	} else {
		round_done(daemon);
	}
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

void heartbeats_turn(struct daemon *daemon)
{
	int64_t period_ms = round_ms(daemon);
	int64_t limit_ms = 2 * (period_ms > 0 ? period_ms : IDLE_ROUND_MS_MAX) + FRESH_SLACK_MS;
	struct heartbeats *heartbeats = &daemon->heartbeats;
	heartbeats->is_fresh = heartbeats->listed.ms != 0 && daemon->now.mono.ms - heartbeats->listed.ms <= limit_ms;
	if (period_ms == 0 || daemon->heartbeat_round != NULL || daemon->now.mono.ms < daemon->heartbeats_due.ms)
		return;
	daemon->heartbeat_round = xcalloc(1, sizeof *daemon->heartbeat_round);
	daemon->heartbeat_round->began = daemon->now.mono;
	page_ask(daemon);
}

int64_t heartbeats_due_ms(const struct daemon *daemon)
{
	return daemon->heartbeat_round == NULL && round_ms(daemon) > 0 ? daemon->heartbeats_due.ms : NEVER;
}

void heartbeats_pause(struct daemon *daemon)
{
	round_free(daemon);
	daemon->heartbeats.is_fresh = false;
}

void heartbeats_done(struct daemon *daemon)
{
	round_free(daemon);
	heartbeats_replace(&daemon->heartbeats, NULL, 0, (struct mono){ 0 });
}

/* Late as of the listing: between two of them nothing is known, so time does not make anybody late. */
void heartbeats_count(struct daemon *daemon, const struct snapshot *snapshot, size_t *out_total, size_t *out_late)
{
	const struct heartbeats *heartbeats = &daemon->heartbeats;
	struct late *known = &daemon->late;
	uint64_t version = store_version(daemon->store);
	*out_total = *out_late = 0;
	if (!heartbeats->is_fresh)
		return;
	if (known->listed.ms != heartbeats->listed.ms || known->version != version) {
		*known = (struct late){ .listed = heartbeats->listed, .version = version };
		for (size_t i = 0, at = 0; i < snapshot->nodes_count; i++) {
			int order = 1;
			while (at < heartbeats->count &&
			       (order = strcmp(heartbeats->list[at].node, snapshot->nodes[i]->name)) < 0)
				at++;
			if (at == heartbeats->count || order != 0 || heartbeats->list[at].changed.ms == 0)
				continue;
			known->total++;
			known->late += heartbeats->listed.ms - heartbeats->list[at].changed.ms > LATE_MS;
		}
	}
	*out_total = known->total;
	*out_late = known->late;
}
