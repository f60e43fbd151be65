/* Private to src/daemon: the one struct that knows everyone. */
#ifndef MAH_DAEMON_DAEMON_INT_H
#define MAH_DAEMON_DAEMON_INT_H

#include <jansson.h>

#include "base/rand.h"
#include "check/check.h"
#include "cloud/provider.h"
#include "cloud/session.h"
#include "core/journal.h"
#include "daemon/daemon.h"
#include "kube/access.h"
#include "kube/objects.h"
#include "kube/reflector.h"
#include "kube/store.h"

#define STATE_CONFIGMAP "magnum-auto-healer-state"
#define STATE_KEY "state.json"
#define LEASE_NAME "magnum-auto-healer"

/* Who asked. */
enum owner { OWN_LEASE, OWN_JOURNAL, OWN_EVENT, OWN_OP, OWN_OBSERVER, OWN_LOGIN, OWN_REPORT };

/* A request under way, or its answer waiting for the next turn. The id is the ticket: whoever no longer knows it has
 * torn it up, and the answer is dropped. */
#define CALLS_MAX 96
struct call {
	uint64_t id; /* 0: free */
	enum owner owner;
	bool is_done;
	struct http_answer answer; /* is_done: headers and body point into the buffers */
	struct buf headers;
	struct buf body;
};

#define EVENTS_QUEUE_MAX 128
struct queued_event {
	char node[NODE_NAME_BYTES];
	char node_uid[SERVER_ID_BYTES];
	char reason[32];
	char action[32];
	char note[400];
	bool is_warning;
	int tries;
	struct wall at;
};

struct daemon {
	struct daemon_opts opts;
	struct rng rng;
	struct arena arena; /* of the turn */
	struct now now;     /* of the turn */
	int64_t ahead_ms;   /* how far our clock is ahead of the API server's; 0: it agrees within CLOCK_AGREES_MS */
	struct mono jumped; /* when the clock was last seen to jump; 0: never */
	bool is_stopping;

	struct call calls[CALLS_MAX];
	uint64_t calls_made;

	/* Kubernetes */
	struct access *access;
	char namespace[64];
	struct store *store;
	struct reflector *reflector;
	bool is_kube_ready; /* credentials were at hand when last looked */
	struct mono walked; /* the last turn of the ops */
	bool was_fresh;     /* at the last turn, for the log */
	uint64_t watch_id;  /* the running list or watch; 0: none */
	bool is_exec_running, is_exec_done;
	struct proc_answer exec_answer;
	struct buf exec_out, exec_errors;
	char access_trouble[240];
	char lease_trouble[240];

	struct lease lease;
	json_t *lease_object; /* as last read */
	uint32_t epoch;       /* the leadership for which the journal was loaded */

	/* Journal */
	struct journal journal;
	struct history history;
	struct ops ops;
	bool is_journal_loaded, is_journal_safe, is_journal_reading, must_reread;
	bool has_configmap;
	char journal_version[64]; /* resourceVersion of the ConfigMap as this leader last saw it */
	uint64_t dirty, saved;    /* counters of changes; equal: nothing to write */
	uint64_t history_seen;    /* history.version at the last look */
	uint64_t journal_call;    /* the request under way; 0: none */
	uint64_t writing;         /* number of the write under way; 0: none */
	uint64_t writes;
	uint64_t writing_dirty;
	struct mono journal_due;
	int journal_failures;

	/* Events */
	struct queued_event events[EVENTS_QUEUE_MAX];
	size_t events_first, events_count;
	uint64_t event_call;
	uint64_t events_made;
	struct mono events_due;

	/* Cloud */
	const struct provider_ops *provider;
	struct conf_openstack openstack; /* with clouds.yaml filled in; shallow: owned by the config */
	struct session *session;
	bool is_logging_in;
	struct observer *observer;
	uint64_t observer_call;
	bool is_observer_waiting;
	struct mono observe_due;
	int observe_failures;
	char observe_trouble[240];
	struct cluster_view *cluster;
	struct machine *machines;
	size_t machines_count;
	uint64_t report_call;
	struct mono report_due;
	int reported; /* -1: nothing yet, 0 unhealthy, 1 healthy */

	/* Decision */
	struct checks *checks;
	struct checker checker;
	struct plan plan;
	uint64_t judged_version; /* of the store */
	struct mono tidy_due;
	bool has_marks; /* some node carries our cordon */
};

/* Now, with the wall clock that the API server would show: for times that other replicas read. */
struct now fair_now(const struct daemon *);

/* calls.c */
uint64_t call_start(struct daemon *, enum owner, const struct http_request *); /* 0: all slots are taken */
void call_cancel(struct daemon *, uint64_t id);
struct call *call_next_done(struct daemon *); /* NULL: none left */
void call_free(struct call *);
/* The body as JSON when it is JSON; owned by the caller. */
json_t *call_json(const struct call *);
const struct http_sink *daemon_sink(struct daemon *);

/* kube_side.c */
bool kube_is_ready(struct daemon *); /* credentials at hand */
bool kube_start(struct daemon *, enum owner, const char *method, const char *path, const char *content_type,
		const char *body, int64_t timeout_ms, bool is_once, uint64_t *out_id);
void kube_watch_turn(struct daemon *);
void kube_lease_turn(struct daemon *);
void kube_lease_heard(struct daemon *, const struct call *);

/* journal_io.c */
void journal_turn(struct daemon *);
void journal_heard(struct daemon *, const struct call *);
void journal_forget(struct daemon *); /* leadership is gone: what we hold is no longer the truth */

/* events.c */
void event_tell(struct daemon *, const char *node, const char *uid, bool is_warning, const char *reason,
		const char *action, const char *fmt, ...) PRINTF(7, 8);
void events_turn(struct daemon *);
void events_heard(struct daemon *, const struct call *);

/* cloud_side.c */
enum leave { LEAVE_LEFT, LEAVE_LATER, LEAVE_REFUSED };
/* Sends a question to the cloud: LEFT with its ticket; LATER: ask again at *out_due; REFUSED: it cannot be asked, *err.
 */
enum leave cloud_start(struct daemon *, enum owner, const struct ask *, uint64_t *out_id, struct mono *out_due,
		       struct err *err);
void cloud_turn(struct daemon *);
void cloud_login_heard(struct daemon *, const struct call *);
void cloud_observer_heard(struct daemon *, const struct call *);
void cloud_report_turn(struct daemon *);
void cloud_report_heard(struct daemon *, const struct call *);
bool cloud_is_fresh(const struct daemon *);
/* Turns a call's answer into what hear() functions read. *out_json keeps the document alive. */
struct answer answer_of(const struct call *, json_t *json, struct arena *);

/* repair.c */
void repair_turn(struct daemon *);
void repair_heard(struct daemon *, const struct call *);
void snapshot_take(struct daemon *, struct snapshot *out);

#endif
