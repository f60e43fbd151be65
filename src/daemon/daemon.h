/* The program: observers, decision and operations, wired together. Everything but sockets, clocks and files, which come
 * in as ports; so the simulator runs whole replicas of it.
 *
 *   loop (or simulator) ── now ──▶ daemon_turn() ──▶ next due time
 *                                     │  ▲
 *             requests (http_port) ◀──┘  └── answers, stored by callbacks since the last turn
 */
#ifndef MAH_DAEMON_DAEMON_H
#define MAH_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http.h"
#include "base/log.h"
#include "base/port.h"
#include "base/time.h"
#include "conf/conf.h"
#include "core/lease.h"
#include "core/plan.h"

struct daemon;

struct daemon_opts {
	const struct config *config; /* outlives the daemon */
	struct http_port *http;
	struct proc_port *proc; /* may be NULL: no exec plug-ins */
	const struct file_port *files;
	const struct log_port *log;
	void *wake_ctx;
	void (*wake)(void *ctx, bool is_urgent); /* something was stored: a turn is wanted; may be NULL */
	uint64_t seed;
	struct lease_opts lease; /* identity is needed; durations 0: the reference's 20 s, 15 s, 5 s */
	int64_t tick_ms;         /* how often open cases are looked at without any event; 0: 1 s */
};

struct daemon *daemon_new(const struct daemon_opts *, struct now, struct err *err);
void daemon_free(struct daemon *);

/* One turn; returns when the next one is due at the latest (mono ms). */
int64_t daemon_turn(struct daemon *, struct now);

/* A clean stop: nothing new is begun, the Lease is given back. */
void daemon_stop(struct daemon *, struct now);
bool daemon_is_stopped(const struct daemon *);

/* What it sees and does, for status pages, tests and the laws of the simulation. Valid until the next turn,
 * but for the nodes that the plan points to: the next bytes of a watch may free them. */
struct daemon_view {
	bool is_leader;
	bool is_nodes_fresh;
	bool is_cloud_fresh;
	const struct plan *plan;
	const struct history *history;
	const struct ops *ops;
	const struct cluster_view *cluster;
	size_t nodes_count;
};
void daemon_look(const struct daemon *, struct daemon_view *out);

#endif
