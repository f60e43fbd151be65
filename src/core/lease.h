/* Leader election on a Lease, exactly as client-go's resourcelock does it (facts/kubernetes-api.md section 8), as a
 * pure machine: what was seen + now → what to ask next. And the fence: may an act leave now? */
#ifndef MAH_CORE_LEASE_H
#define MAH_CORE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"
#include "base/time.h"

#define LEASE_IDENTITY_BYTES 128

struct lease_opts {
	int64_t duration_ms;                 /* 20 s, as the reference */
	int64_t renew_ms;                    /* 15 s: no success for so long: stop leading */
	int64_t retry_ms;                    /* 5 s */
	char identity[LEASE_IDENTITY_BYTES]; /* hostname_uuid */
};

/* The spec of the Lease object. */
struct lease_record {
	char holder[LEASE_IDENTITY_BYTES];
	char resource_version[64];
	int64_t duration_ms;
	struct wall acquired, renewed;
	int32_t transitions;
};

enum lease_do { LEASE_WAIT, LEASE_GET, LEASE_CREATE, LEASE_UPDATE };

struct lease {
	struct lease_opts opts;
	struct lease_record seen; /* as last read or written */
	bool is_seen;
	struct mono changed; /* local time at which `seen` last differed from what was seen before */
	bool is_leader;
	bool must_read;      /* the copy in hand is not the latest: GET before the next PUT */
	struct mono renewed; /* when the last successful renewal was SENT: leadership counts from there */
	struct mono due;
	struct mono sent;
	enum lease_do doing;        /* LEASE_WAIT: no request under way */
	struct lease_record wanted; /* what the running PUT or POST writes */
	bool is_releasing;
	uint32_t epoch; /* grows each time leadership is won */
};

void lease_init(struct lease *, const struct lease_opts *, struct now);
/* What to do now; for CREATE and UPDATE the record to write is lease->wanted. Also ends leadership when the renew
 * deadline has passed: look at lease_leads() after it. */
enum lease_do lease_poll(struct lease *, struct now, struct rng *);
/* Only the deadline: for as long as nothing can be asked. */
void lease_expire(struct lease *, struct now);
/* The answer to it: HTTP status (0: none), and the record that came back (GET, successful PUT/POST) or NULL. */
void lease_heard(struct lease *, struct now, struct rng *, int status, const struct lease_record *);
/* A clean stop: the next poll gives the lease back (holder "", duration 1 s). */
void lease_release(struct lease *, struct now);

/* Without an election (leader-elect: false): leads, and goes on leading, without any Lease. */
void lease_lead_alone(struct lease *, struct now);
/* Somebody else has written where only the leader writes: lead no longer, read the Lease again. */
void lease_step_down(struct lease *, struct now);

bool lease_leads(const struct lease *, struct mono now);
/* May a request of at most timeout_ms leave now? Only if it is over before anybody else could lead. */
bool lease_has_authority(const struct lease *, struct mono now, int64_t timeout_ms);

#endif
