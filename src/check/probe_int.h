/* The insides of the probes: shared by probe_set.c (whom there is to ask, in which order) and probe.c (asking and what
 * came of it). Nothing here points to a Node: the store may free them at any time. */
#ifndef MAH_CHECK_PROBE_INT_H
#define MAH_CHECK_PROBE_INT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "check/check.h"
#include "check/probe.h"

/* What is not well with a node, kept only while it is not. */
struct trouble {
	int64_t since_ms;  /* mono: bad without interruption; 0: it is not bad */
	int64_t bad_ms;    /* when it was last found bad */
	int64_t silent_ms; /* when the present silence began; 0: it is not silent */
	char why[FINDING_WHY_BYTES];
};

#define HEAP_NONE UINT32_MAX
#define MARKS_NONE UINT32_MAX

/* One probing check of one node. There may be tens of thousands. */
struct probe {
	TAILQ_ENTRY(probe) link; /* in its kind's list of those heard lately, oldest first, while is_counted */
	struct trouble *trouble; /* NULL: it is well, or nothing is known */
	int64_t due_ms;
	int64_t heard_ms;  /* the last result; 0: none */
	int64_t ok_ms;     /* the last one that was good; 0: none */
	uint32_t heap_at;  /* HEAP_NONE: under way */
	uint32_t marks_at; /* place among the candidates for a mark */
	uint8_t slot;      /* its place among its target's probes, and its kind */
	uint8_t path;      /* the next one to ask for */
	uint8_t health : 2, symptom : 2;
	uint8_t lane : 1; /* the heap it waits in, or waited in */
	uint8_t is_counted : 1;
	uint8_t is_marked : 1;       /* the Node has the annotation */
	uint8_t is_mark_garbled : 1; /* ... with a text that is no time */
};
static_assert(sizeof(struct probe) <= 64, "a probe is small");
TAILQ_HEAD(probe_list, probe);

struct node_key {
	uint64_t a, b;
};

/* A node that is probed. Its key is a hash of role, name, uid and address: when one of them changes it is another one.
 */
struct target {
	struct node_key key;
	unsigned char address[16]; /* binary: nothing that somebody wrote can get into a URL */
	uint32_t index;            /* where the node was in the last list */
	uint32_t round;            /* of probes_nodes() in which it was last there */
	uint8_t role;
	bool is_ipv6;
	bool is_reporting; /* its kubelet speaks to the API server: Ready is True or False, not Unknown */
	struct probe probes[];
};

/* A probing check of a role. */
struct kind {
	const struct conf_check *conf;
	const struct check_ops *ops;
	size_t check; /* index among the role's checks */
	size_t paths_count;
	int64_t stale_ms;
	struct tls_opts tls;
	/* Those with a fresh result. cut_off: no answer from a node that the API server calls Ready. */
	struct probe_list heard;
	size_t heard_count, cut_off_count;
	size_t targets_count;
	int64_t answered_ms; /* when anybody last answered, whatever it was; 0: nobody yet */
};

/* Those that were silent wait in a lane of their own, and never take all flights: each holds one until its deadline,
 * and a zone that is down must not make us blind for the rest. */
enum { LANE_ANSWERING, LANE_SILENT, LANES_COUNT };
#define SILENT_AT_ONCE (PROBES_AT_ONCE / 2)
struct heap {
	struct probe **list; /* by due time */
	size_t count;
};

struct flight {
	uint64_t ticket; /* 0: free */
	int lane;
	struct probe *probe; /* NULL: its node is forgotten */
	int64_t lost_ms;     /* an answer that has not come by then does not come any more */
};

struct probes {
	const struct config *config;
	int64_t interval_ms;
	struct kind kinds[ROLES_COUNT][CHECKS_PER_ROLE_MAX];
	size_t kinds_count[ROLES_COUNT];
	struct target **table; /* open addressing; a power of two, at most half full */
	size_t table_size, targets_count;
	struct heap lanes[LANES_COUNT];
	size_t probes_count, probes_cap;
	struct probe **marks; /* whose annotation may have to be written or taken away */
	size_t marks_count, marks_next;
	struct flight flights[PROBES_AT_ONCE];
	uint64_t last_ticket;
	uint32_t round;
};

static inline const struct target *target_of(const struct probe *probe)
{
	const char *first = (const char *)(probe - probe->slot);
	return (const struct target *)(const void *)(first - offsetof(struct target, probes));
}

static inline struct kind *kind_of(struct probes *probes, const struct probe *probe)
{
	return &probes->kinds[target_of(probe)->role][probe->slot];
}

static inline bool probe_is_silent(const struct probe *probe)
{
	return probe->health == HEALTH_BAD && probe->symptom == SYMPTOM_GUEST_SILENT;
}

/* probe_set.c */
struct node_key node_key(const struct node *);
struct target *targets_find(const struct probes *, struct node_key); /* NULL: it is not probed */
void targets_free(struct probes *);

void heap_push(struct probes *, struct probe *, int64_t due_ms);
void heap_remove(struct probes *, struct probe *);

/* Into and out of the tallies of its kind, around each change of health, symptom and is_reporting. */
void tally_in(struct probes *, struct probe *);
void tally_out(struct probes *, struct probe *);
void tally_forget_stale(struct probes *, struct mono now);

/* Does the annotation differ from what was found? Puts it on the list then. */
bool mark_is_wanted_of(struct probes *, const struct probe *);
void mark_consider(struct probes *, struct probe *);
void mark_drop(struct probes *, struct probe *);
/* "2006-01-02 15:04:05" in UTC. */
bool mark_parse(const char *text, struct wall *out);

/* When it is its turn the next time: once an interval, at a time of its own. */
int64_t probe_turn_ms(const struct probes *, const struct probe *, struct mono now);

#endif
