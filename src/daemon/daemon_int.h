/* Private to src/daemon: the one struct that knows everyone. */
#ifndef MAH_DAEMON_DAEMON_INT_H
#define MAH_DAEMON_DAEMON_INT_H

#include <jansson.h>

#include "base/rand.h"
#include "check/check.h"
#include "cloud/provider.h"
#include "cloud/session.h"
#include "core/journal.h"
#include "core/reach.h"
#include "daemon/daemon.h"
#include "kube/access.h"
#include "kube/objects.h"
#include "kube/reflector.h"
#include "kube/store.h"

#define STATE_CONFIGMAP "magnum-auto-healer-state"
#define STATE_KEY "state.json"
#define LEASE_NAME "magnum-auto-healer"

/* Who asked. */
enum owner {
	OWN_LEASE,
	OWN_JOURNAL,
	OWN_EVENT,
	OWN_OP,
	OWN_OBSERVER,
	OWN_LOGIN,
	OWN_REPORT,
	OWN_PROBE,
	OWN_HEARTBEATS,
	OWN_MARK,
};

/* A request under way, or its answer waiting for the next turn. The id is the ticket: whoever no longer knows it has
 * torn it up, and the answer is dropped. There is a slot for everybody who may ask at once, so that no crowd of probes
 * of silent nodes keeps the Lease, the journal or a repair waiting: each operation and each probe has one request under
 * way, and of the other owners there are eight. */
#define CALLS_MAX (OPS_MAX + PROBES_AT_ONCE + 16)
struct call {
	uint64_t id; /* 0: free */
	enum owner owner;
	bool is_done;
	struct mono started;
	uint32_t way; /* the API server's address that it went to (access_way()); 0: it was not asked of it */
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
	/* By which way a watch went to the API server, and what came of it; the next turn reckons with that. */
	struct watch_way {
		uint32_t way;
		bool is_open; /* it began: its end says nothing of the address, a server may restart */
		bool has_failed, has_answered;
	} watch_way;
	uint32_t fled_way;        /* watches of an earlier way than this are not waited for */
	uint64_t masters_version; /* of the store, as the API server's other addresses were taken from it */
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
	struct mono journal_missed; /* not before this is it looked for again */
	int journal_failures;

	/* Events */
	struct queued_event events[EVENTS_QUEUE_MAX];
	size_t events_first, events_count;
	uint64_t event_call;
	uint64_t events_made, events_dropped;
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

	/* Probes, heartbeats, marks of failing probes (probe_side.c) */
	struct probes *probes;
	struct probe_call {
		uint64_t call, ticket; /* call 0: free */
	} probe_calls[PROBES_AT_ONCE];
	uint64_t probed_version; /* of the store, as the probes know it */
	/* Grows when a check may find something else than before although the store is the same: probes answered, the
	 * Leases were listed, the cloud was seen. */
	uint64_t findings_version;
	struct mono findings_due;   /* an answer has to be told of by then; 0: none */
	struct mono findings_told;  /* when it grew because of probes */
	struct mono findings_cloud; /* cluster->at, as told */
	struct heartbeats heartbeats;
	struct heartbeat_round *heartbeat_round; /* a listing under way; NULL: none */
	uint64_t heartbeats_call;
	struct mono heartbeats_due;
	char heartbeats_trouble[240];
	struct late {
		struct mono listed;
		uint64_t version; /* of the store */
		size_t total, late;
	} late;              /* counted for this listing and these nodes */
	bool has_mark_keys;  /* some check has an unhealthy-annotation */
	bool is_mark_wanted; /* there may be something to write */
	uint64_t mark_call;
	struct mono mark_due;
	int mark_failures;
	char mark_node[NODE_NAME_BYTES]; /* whose mark is being written */
	struct check_facts facts;        /* of this turn */
	/* Servers whose repairs have ended: a listing from before says nothing of them (law L4). */
#define TOUCHED_KEPT 64
	struct touched {
		char server[SERVER_ID_BYTES];
		struct mono at;
	} touched[TOUCHED_KEPT];
	size_t touched_count;
	struct node **phantoms; /* servers that never joined, as Nodes that are not there (phantom.c) */
	size_t phantoms_count;
	struct mono phantoms_seen; /* the round and the store that they were found in */
	uint64_t phantoms_version;
	const struct node **nodes_and_phantoms; /* of the turn: the snapshot's nodes when there are phantoms */

	/* Switches (switch_side.c) */
	struct switches switches;
	struct reflector *switch_reflector;
	struct state_object *state_object; /* the state ConfigMap as watched */
	uint64_t switch_watch_id;
	struct watch_way switch_way;
	uint64_t switches_seen;  /* state_object_changes() as taken in */
	struct wall pauses_told; /* which pauses have ended by then was told */
	bool was_switch_fresh, is_switch_refusal_told;

	struct reach reach; /* how well the API server answers (reach.c) */

	/* Decision */
	struct checks *checks;
	struct checker checker;
	struct plan plan;
	uint64_t judged_version;  /* of the store */
	uint64_t judged_findings; /* of what probes, heartbeats and rounds found */
	struct mono tidy_due;
	bool has_marks; /* some node carries our cordon */
};

/* Now, with the wall clock that the API server would show: for times that other replicas read. */
struct now fair_now(const struct daemon *);

/* calls.c */
uint64_t call_start(struct daemon *, enum owner, const struct http_request *); /* 0: all slots are taken */
struct call *call_find(struct daemon *, uint64_t id);                          /* NULL: no such call */
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
/* The same, with the wanted form of the answer (Accept). */
bool kube_start_as(struct daemon *, enum owner, const char *method, const char *path, const char *accept,
		   const char *content_type, const char *body, int64_t timeout_ms, bool is_once, uint64_t *out_id);
void kube_watch_turn(struct daemon *);
/* One watch: gives it its turn, and starts its next request. Credentials permitting. */
void kube_watch(struct daemon *, struct reflector *, uint64_t *id, struct watch_way *);
void kube_watch_heard(struct watch_way *, const struct http_answer *); /* head or end of it; may be a callback */
void kube_call_heard(struct daemon *,
		     const struct call *); /* fail-over: did the API server answer? Once for each call */
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

/* probe_side.c: probes of nodes, the annotation of a failing probe; and the turn of the heartbeats */
void probe_open(struct daemon *); /* at the start; says what of the probed is verified */
void probe_turn(struct daemon *); /* after the watch, before the decision */
void probe_heard(struct daemon *, const struct call *);
void mark_heard(struct daemon *, const struct call *);
void probe_done(struct daemon *);            /* frees, the heartbeats too */
int64_t probe_due_ms(const struct daemon *); /* NEVER: nothing before an answer */

/* heartbeats.c: the kubelets' Leases */
void heartbeats_turn(struct daemon *);
void heartbeats_heard(struct daemon *, const struct call *);
void heartbeats_pause(struct daemon *); /* this replica does not lead, or stops */
void heartbeats_done(struct daemon *);  /* frees */
int64_t heartbeats_due_ms(const struct daemon *);
/* How many of the snapshot's nodes have a heartbeat that is known to move, and how many of those are late. 0 and 0: not
 * known now. */
void heartbeats_count(struct daemon *, const struct snapshot *, size_t *out_total, size_t *out_late);

/* phantom.c: servers of the cluster that no Node speaks for, when a check asks for them. Replaces the snapshot's nodes.
 */
void phantoms_join(struct daemon *, struct snapshot *);
void phantoms_done(struct daemon *);

/* switch_side.c: the watch of the state ConfigMap. pauses.json of it becomes daemon->switches. */
bool switch_open(struct daemon *);
void switch_turn(struct daemon *);
bool switch_head(struct daemon *, uint64_t id, const struct http_answer *); /* false: not its request */
bool switch_bytes(struct daemon *, uint64_t id, struct str chunk);
bool switch_done(struct daemon *, uint64_t id, const struct http_answer *);
bool switch_is_fresh(const struct daemon *);
int64_t switch_due_ms(const struct daemon *);
void switch_close(struct daemon *);

/* reach.c: is the API server well? (law L7) */
void reach_heard(struct daemon *, const struct call *); /* every answer of the API server, but of watches */
bool reach_is_troubled(const struct daemon *, char *out_why, size_t out_bytes);

/* repair.c */
void repair_turn(struct daemon *);
void repair_heard(struct daemon *, const struct call *);
void snapshot_take(struct daemon *, struct snapshot *out);

#endif
