/* Events on Nodes, one request at a time. Failing to write one never stops a repair: it is dropped after some tries. */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "daemon/daemon_int.h"

#define EVENT_TIMEOUT_MS (10 * SEC)
#define EVENT_TRIES_MAX 3
#define EVENT_RETRY_MS (5 * SEC)

static struct queued_event *event_at(struct daemon *daemon, size_t i)
{
	return &daemon->events[(daemon->events_first + i) % EVENTS_QUEUE_MAX];
}

/* In a storm there are more holds than can be told; what was done must not be lost for them. The first is on its way.
 */
static void make_room(struct daemon *daemon)
{
	size_t out = daemon->event_call != 0 ? 1 : 0;
	for (size_t i = out; i < daemon->events_count; i++) {
		if (strcmp(event_at(daemon, i)->reason, "RepairHeld") == 0) {
			out = i;
			break;
		}
	}
	for (size_t i = out; i + 1 < daemon->events_count; i++)
		*event_at(daemon, i) = *event_at(daemon, i + 1);
	daemon->events_count--;
	if (daemon->events_dropped++ == 0)
		LOG(daemon->opts.log, LOG_WARN, "event", "more events than can be written; the log has them all");
}

void event_tell(struct daemon *daemon, const char *node, const char *uid, bool is_warning, const char *reason,
		const char *action, const char *fmt, ...)
{
	if (daemon->events_count == EVENTS_QUEUE_MAX)
		make_room(daemon);
	struct queued_event *event =
		&daemon->events[(daemon->events_first + daemon->events_count++) % EVENTS_QUEUE_MAX];
	*event = (struct queued_event){ .is_warning = is_warning, .at = daemon->now.wall };
	(void)TEXT_COPY(event->node, node);
	(void)TEXT_COPY(event->node_uid, uid);
	(void)TEXT_COPY(event->reason, reason);
	(void)TEXT_COPY(event->action, action);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(event->note, sizeof event->note, fmt, ap);
	va_end(ap);
}

void events_turn(struct daemon *daemon)
{
	if (daemon->event_call != 0 || daemon->events_count == 0 || daemon->now.mono.ms < daemon->events_due.ms)
		return;
	struct queued_event *event = &daemon->events[daemon->events_first];
	struct event_text text = { .node = event->node,
				   .node_uid = event->node_uid,
				   .is_warning = event->is_warning,
				   .reason = event->reason,
				   .action = event->action,
				   .note = event->note,
				   .instance = daemon->lease.opts.identity,
				   .at = event->at,
				   .unique = (uint64_t)event->at.ms * 1000 + ++daemon->events_made % 1000 };
	event->tries++;
	if (!kube_start(daemon, OWN_EVENT, "POST", EVENTS_PATH, NULL, event_body(&daemon->arena, &text),
			EVENT_TIMEOUT_MS, false, &daemon->event_call))
		daemon->events_due.ms = daemon->now.mono.ms + EVENT_RETRY_MS;
}

void events_heard(struct daemon *daemon, const struct call *call)
{
	daemon->event_call = 0;
	if (daemon->events_count == 0)
		return;
	struct queued_event *event = &daemon->events[daemon->events_first];
	int status = call->answer.status;
	if (status == 401)
		access_refused(daemon->access, daemon->now);
	/* 409: it was stored, and the answer to the first try was lost. */
	bool is_stored = (status >= 200 && status < 300) || status == 409;
	bool is_hopeless = status == 400 || status == 403 || status == 422 || event->tries >= EVENT_TRIES_MAX;
	if (!is_stored && !is_hopeless) {
		daemon->events_due.ms = daemon->now.mono.ms + EVENT_RETRY_MS;
		return;
	}
	if (!is_stored) {
		CLEANUP(json_decrefp) json_t *json = call_json(call);
		LOG(daemon->opts.log, LOG_WARN, "event", "an event could not be written", { "node", event->node },
		    { "reason", event->reason },
		    { "why", status == 0 ? call->answer.why.text
					 : status_message(&daemon->arena, status, json, call->answer.body) });
	}
	daemon->events_first = (daemon->events_first + 1) % EVENTS_QUEUE_MAX;
	daemon->events_count--;
}
