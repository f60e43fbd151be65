/* The inside of the simulated world. Everything that happens later is an event in world.due; an event names its thing
 * and the thing's epoch at that time: whoever changes the plan raises the epoch, and the old event is void. */
#ifndef MAH_SIM_WORLD_INT_H
#define MAH_SIM_WORLD_INT_H

#include <jansson.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/due.h"
#include "sim/kube.h"
#include "sim/world.h"

#define ID_BYTES 40
#define NAME_BYTES 256
#define ACTIONS_MAX 64      /* instance actions kept per server */
#define VOLUMES_MAX 256     /* detached ones beyond that are forgotten */
#define SERVERS_GONE_MAX 64 /* deleted servers that changes-since still lists */
#define TOKENS_MAX 4096     /* beyond that the oldest is forgotten */
#define BODY_BYTES_MAX (64u << 20)

enum event_kind {
	EV_SERVER,       /* a server's operation goes one step further */
	EV_BOOTED,       /* the guest is up */
	EV_BEAT,         /* kubelet's periodic status */
	EV_SELF_CURE,    /* a fault goes away by itself */
	EV_FLIP,         /* a flapping kubelet falls silent or speaks again */
	EV_VOLUME,       /* detached */
	EV_MEMBER,       /* a group member's work goes on */
	EV_PASS_BEGINS,  /* an accepted update starts */
	EV_PASS_MASTERS, /* it has come to the masters */
	EV_PASS_WORKERS, /* ... and to the workers */
	EV_PASS_ENDS,    /* look whether all is done */
	EV_PASS_TIMEOUT, /* the stack's time is up */
	EV_CREATED,      /* the cluster's creation is over (world_creates) */
	EV_RESIZE,       /* Magnum's conductor takes up a resize */
	EV_SYNC,         /* Magnum looks at its stacks */
	EV_API_CURE,     /* a dead API server process is started again */
	EV_JOB,          /* the next step of what somebody else does */
};

/* ---- servers ---- */

enum vm {
	VM_BUILDING,
	VM_ACTIVE,
	VM_STOPPED,
	VM_ERROR,
	VM_PAUSED,
	VM_SUSPENDED,
	VM_RESCUED,
	VM_RESIZED,
	VM_SHELVED,
	VM_DELETED
};
enum op { OP_NONE, OP_BUILD, OP_SOFT, OP_HARD, OP_STOP, OP_START, OP_REBUILD, OP_DELETE, OP_MIGRATE };
enum ail { AIL_NONE, AIL_KUBELET, AIL_NOT_READY, AIL_SILENT_BOOT, AIL_BAD_BOOTSTRAP, AIL_NO_HOST };
/* What a (re)start cures: more than what is below it. */
enum dose { DOSE_NONE, DOSE_SOFT, DOSE_HARD, DOSE_NEW };

struct action {
	const char *name;
	const char *user;
	char request_id[44];
	struct wall start;
};

struct member;
struct server {
	struct thing thing;
	char id[ID_BYTES], name[NAME_BYTES], address[46], mac[18], boot_id[ID_BYTES];
	const char *group;     /* node group's name */
	struct member *member; /* whose server this is or, while it is replaced in place, was; NULL: nobody's */
	bool is_master;
	enum vm vm;
	const char *task; /* "" = null */
	const char *fault;
	struct wall created, launched, updated, faulted;
	struct mono healthy_since;
	bool is_locked;
	bool is_stopped_by_person;
	int host; /* NO_PLACE: not placed */

	enum op op;
	unsigned op_step;
	uint32_t op_epoch;
	bool is_op_hung; /* accepted, but its host is down */

	bool is_running;  /* the guest has power */
	bool was_running; /* ... until its host went down */
	bool is_booted;
	bool is_talking;    /* the kubelet reaches the API */
	bool is_introduced; /* ... and has since this boot */
	bool is_ready;
	uint32_t guest_epoch; /* of boot and heartbeats */

	enum ail ail;
	enum sim_cure cure;
	bool is_hung; /* the guest does not answer ACPI either */
	bool flips, is_flipped;
	uint32_t ail_epoch;
	bool is_cut;      /* does not reach the API server (its zone may not either) */
	bool is_all_cut;  /* nobody reaches it */
	bool is_api_dead; /* a master's API server process */
	enum sim_cure api_cure;
	uint32_t api_epoch;

	bool is_others; /* somebody else is at work on it */
	struct mono others_since, others_until;

	struct action actions[ACTIONS_MAX]; /* a ring; actions_count - 1 is the newest */
	size_t actions_count;
	unsigned volumes_count;
	struct buf json; /* Nova's body as last shown; empty: render anew */
	int json_variant;
};

enum use { USE_DATA, USE_ROOT, USE_ETCD };
struct volume {
	struct thing thing;
	enum use use;
	struct member *member; /* whose resource it is; NULL: nobody's */
	bool is_left_over;     /* deleted as soon as it is detached */
	char id[ID_BYTES], attachment_id[ID_BYTES], device[16];
	struct server *server; /* NULL: available */
	bool is_detaching;
	uint32_t epoch;
	struct wall created, attached;
};

/* ---- stacks ---- */

enum work { WORK_NONE, WORK_CREATE, WORK_REPLACE, WORK_REMOVE, WORK_SIGNAL /* its deployment is tried again */ };

/* A place for a server in a ResourceGroup of Heat's: index, name and address stay, servers come and go. */
struct stack;
struct member {
	struct thing thing;
	struct stack *stack;
	bool is_master;
	unsigned index;
	char name[NAME_BYTES], address[46];
	char nested_name[NAME_BYTES + 64], nested_id[ID_BYTES];
	char physical_id[ID_BYTES];        /* what Heat believes */
	struct server *server;             /* NULL: gone, or not made yet */
	struct server *old;                /* replaced in place, not deleted yet */
	const char *status, *action_state; /* of the server's resource: "CREATE_COMPLETE"; of the nested stack */
	char reason[200];
	struct wall created, updated;
	enum work work;
	uint32_t epoch;
	int zone;                   /* NO_PLACE: none */
	struct volume *root, *etcd; /* resources of its stack; NULL: none */
	const char *root_status;
	bool has_etcd_data;  /* masters: their member of etcd can join */
	bool is_root_marked; /* the root volume is CHECK_FAILED: it is replaced, too */
	bool is_marked;      /* CHECK_FAILED: replaced by the next update */
	bool has_failed;     /* its deployment failed: the next update tries again */
	bool has_signalled;  /* the new server's deployment is done */
	bool wants_again;    /* marked again while at work, and a later update has seen it */
	bool is_doomed;      /* to be removed once its work is over */
};

struct stack {
	struct thing thing;
	char name[NAME_BYTES], id[ID_BYTES];
	char masters_name[NAME_BYTES + 32], masters_id[ID_BYTES], minions_name[NAME_BYTES + 32], minions_id[ID_BYTES];
	const char *status;
	char reason[200], fault[400];
	struct wall created, updated;
	struct member **members; /* masters first, then by index */
	size_t members_count, members_room;
	unsigned next_index, target; /* of workers */
	char (*remove)[ID_BYTES];    /* the parameter minions_to_remove: only the latest counts */
	size_t remove_count;
	uint32_t pass;  /* epoch of the running (or last) update */
	bool is_worked; /* the pass has handed out all work */
	size_t working; /* members at work */
	struct mono hold_until;
	uint64_t version; /* counts changes, for the cached answers */
	struct stack_cache {
		uint64_t version;
		char query[128]; /* what it answers */
		struct buf body;
	} servers_cache, summary_cache;
};

/* ---- Magnum ---- */

struct group {
	const char *name, *role;
	char id[ID_BYTES];
	struct stack *stack;
	unsigned node_count;
	const char *status;
	struct buf addresses; /* JSON array, as of the last success */
	struct wall created, updated;
};
#define GROUPS_COUNT_MAX 3

/* A resize that was answered and waits for the conductor. */
struct resize {
	struct thing thing;
	struct group *group;
	unsigned node_count;
	char (*remove)[ID_BYTES];
	size_t remove_count;
};

struct cluster {
	struct thing thing;
	char id[ID_BYTES], name[NAME_BYTES];
	const char *status;
	char reason[120];
	struct buf faults;        /* JSON object, "" when there are none */
	const char *health;       /* NULL: never reported */
	struct buf health_reason; /* JSON object */
	bool is_healing;
	struct wall created, updated;
	struct group groups[GROUPS_COUNT_MAX];
	size_t groups_count;
	bool is_syncing;
	struct buf json, groups_json; /* as last shown; empty: render anew */
};

/* ---- Keystone ---- */

struct token {
	char id[192];
	struct wall issued, expires;
	const char *method;
	bool is_reader, is_unscoped, is_appcred, is_trust;
};

/* ---- others ---- */

enum job_kind { JOB_AUTOSCALER, JOB_HEALER, JOB_UPGRADE };
struct job {
	struct thing thing;
	enum job_kind kind;
	char node[NAME_BYTES], server[ID_BYTES];
	unsigned step, tries;
	unsigned next_index; /* of an upgrade: workers below it are done */
	bool has_cordoned;
};
#define JOBS_MAX 64
#define SIM_PERSON_ID "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
#define SIM_OTHER_HEALER_ID "b1c2d3e4f5061728394a5b6c7d8e9f00"

/* How the control plane is. */
enum plane { PLANE_WELL, PLANE_NO_QUORUM, PLANE_DEAD /* no API server runs */ };

#define NO_PLACE (-1)
#define ZONES_MAX 26
#define HOSTS_MAX 4096 /* that may be down at a time */

/* ---- the world ---- */

struct world {
	struct world_opts opts; /* texts point to copies below */
	char base_url[256], prefix[NAME_BYTES], worker_word[32];
	struct now now; /* of the last call */
	struct rng ids, times, luck;
	struct due due;
	struct sim_kube *kube;

	struct server **servers;
	size_t servers_count, servers_room;
	struct map servers_by_id;
	struct server *gone[SERVERS_GONE_MAX];
	size_t gone_count;
	struct volume **volumes;
	size_t volumes_count, volumes_room;
	unsigned addresses_made;

	struct stack stack, extra;
	bool has_extra;
	struct map members_by_name; /* node → member */
	struct cluster cluster;
	struct token *tokens;
	size_t tokens_count, tokens_room;

	struct map members_by_address;
	bool is_zone_cut[ZONES_MAX];
	int hosts_made; /* when each server has one of its own */
	int *hosts_down;
	size_t hosts_down_count;
	enum plane plane;
	bool is_made; /* the beginning is over: from now on the masters decide how the control plane is */
	struct job *jobs[JOBS_MAX];
	size_t jobs_count;
	int slow_boots;
	int64_t slow_boot_ms;

	int bad_boots; /* that many new servers will not boot */
	bool is_boot_chosen;
	enum sim_boot boot_kind;
	struct sim_trouble troubles[SIM_SERVICES_COUNT];
	struct buf scratch;
};

/* world.c */
struct now world_at(const struct world *, int64_t mono_ms);
int64_t scaled(const struct world *, int64_t ms);
int64_t took(struct world *, int64_t ms); /* scaled, give or take a tenth */
void make_uuid(struct rng *, char out[ID_BYTES]);
void make_hex(struct rng *, char *out, size_t digits);
void make_word(struct rng *, char *out, size_t letters); /* as Heat's random suffixes; OUT holds letters + 1 */
void tell(struct world *, struct now, enum sim_act_kind, const char *client, const char *server, const char *node,
	  int status);

/* machine.c */
struct server *server_new(struct world *, struct now, struct member *);
void server_touch(struct server *, struct now); /* something that Nova shows has changed */
void server_begin(struct world *, struct now, struct server *, enum op);
void server_step(struct world *, struct now, struct server *);
void server_gone(struct world *, struct now, struct server *); /* at once */
void server_log(struct world *, struct now, struct server *, const char *action, const char *user);
const char *server_status(const struct server *);
void server_destroy(void *);
void guest_halt(struct world *, struct now, struct server *);
void guest_boot(struct world *, struct now, struct server *, enum dose);
void guest_booted(struct world *, struct now, struct server *);
void guest_settle(struct world *, struct now, struct server *); /* after a change of what is wrong */
void guest_beat(struct world *, struct now, struct server *);
void guest_flip(struct world *, struct now, struct server *);
void guest_cured(struct world *, struct now, struct server *);
struct volume *volume_find(const struct world *, const char *id);
struct volume *volume_new(struct world *, struct server *, enum use); /* attached */
void volume_move(struct world *, struct volume *, struct server *);   /* from where it is, to another server */
void volume_free(struct world *, struct volume *);                    /* detached first, if need be */
void volume_detached(struct world *, struct volume *);
bool host_is_down(const struct world *, int host);
void host_event(struct world *, struct now, int host, bool down);
void host_move(struct world *, struct server *);                    /* to another one that is up */
void host_settle(struct world *, struct server *, int nth);         /* at the beginning: in turn */
bool guest_lives(const struct server *);                            /* its programs run */
bool guest_is_reached(const struct world *, const struct server *); /* ... over the network */
void server_others(struct server *, struct now, bool is_others);
void guest_speak(struct world *, struct now, struct server *); /* once more */

/* etcd.c */
bool etcd_is_well(const struct world *, const struct server *);
bool endpoint_is_well(const struct world *, const struct server *);
void plane_look(struct world *, struct now); /* after a change of a master */
/* Answers for the Kubernetes API what it says of its health, and all while it is not well. */
bool plane_answers(struct world *, const struct sim_request *, struct sim_response *);
/* path of the probed API server; is_etcd_well: what it sees of etcd */
void plane_health(const char *path, bool is_etcd_well, struct sim_response *);

/* others.c */
void job_event(struct world *, struct now, struct job *);
void jobs_done(struct world *);

/* server_json.c */
const char *server_vm_state(const struct server *);
void server_json(struct buf *, const struct world *, struct server *, int microversion); /* cached */
void wall_json(struct buf *, const char *key, struct wall);                              /* "key": "2026-...Z" */

/* stack.c */
void stack_init(struct world *, struct now, struct stack *, const char *name, int masters, int workers);
void stack_done(struct stack *);
void stack_changed(struct stack *);
bool stack_is_busy(const struct stack *);
void stack_event(struct world *, struct now, struct stack *, const struct event *);
void stack_update(struct world *, struct now, struct stack *);  /* accepted; starts a moment later */
void stack_pass(struct world *, struct now, struct stack *);    /* starts now */
void stack_release(struct world *, struct now, struct stack *); /* its hold ends now */
void member_event(struct world *, struct now, struct member *);
void member_signals(struct world *, struct now, struct member *, bool is_good);
void member_built(struct now, struct member *); /* ACTIVE: the resource is complete, its deployment not yet */
void member_build_failed(struct world *, struct now, struct member *);
void member_lost(struct world *, struct now, struct member *, struct server *); /* one of its servers was deleted */
bool member_awaits(const struct member *, const struct server *);

/* magnum.c */
void magnum_init(struct world *, struct now);
void magnum_done(struct world *);
void stack_magnum_resize(struct world *, struct now, struct resize *);
void magnum_sync(struct world *, struct now);
void magnum_busy(struct world *, struct now, struct stack *, const char *status);
void magnum_changed(struct world *);
struct group *worker_group_of(struct world *, const struct stack *); /* of the workers of this stack */
void conductor_resize(struct world *, struct now, struct group *, unsigned node_count, const char *const *remove,
		      size_t remove_count);

/* faults.c: true when the trouble has answered the request */
bool trouble_before(struct world *, enum sim_service, struct sim_response *);
void trouble_after(struct world *, enum sim_service, struct sim_response *);

/* One request on its way through a service. */
#define SEGMENTS_MAX 12
struct call {
	struct world *w;
	struct now now;
	const struct sim_request *req;
	struct sim_response *out;
	enum sim_service service;
	const struct token *token; /* NULL in Keystone only */
	char path[2048];
	char *seg[SEGMENTS_MAX]; /* of the path, below the service's prefix and version */
	size_t count;
	const char *query;
	int microversion; /* 279 is 2.79 */
};
bool call_is(const struct call *, const char *method, size_t count);
/* A query's value, decoded; false when it is not there. */
bool call_query(const struct call *, const char *name, char *out, size_t out_bytes);
/* The request's body; NULL: it is not JSON. The caller's. */
json_t *call_body(const struct call *);
const char *request_header(const struct sim_request *, const char *name);
/* A body of this service's error form. */
void call_error(struct call *, int status, const char *text);
void error_body(enum sim_service, int status, const char *text, struct sim_response *);
void unauthorized(struct sim_response *);
void answer_json(struct sim_response *, int status);

bool keystone_http(struct call *);
bool nova_http(struct call *);
bool heat_http(struct call *);
bool magnum_http(struct call *);
bool cinder_http(struct call *);
void tokens_done(struct world *);
const struct token *token_find(const struct world *, struct now, const char *id);

#endif
