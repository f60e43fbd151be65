/* One question to the world and one answer. Steps of operations (core/op.h) and observers speak only in these. */
#ifndef MAH_CORE_ASK_H
#define MAH_CORE_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/facts.h"

enum ask_kind {
	ASK_NOTHING, /* no question: hear() is called at once with an answer of status 200; a step that only decides */
	ASK_NODE,    /* the node named op->facts.node and its machine, from memory; no request */
	ASK_KUBE,    /* an HTTP request to the Kubernetes API */
	ASK_CLOUD,   /* an HTTP request to a service of the cloud's catalog */
};

/* OpenStack services: catalog types in order of preference, API version header and its value. */
#define SERVICES(X)                                                                                                    \
	X(SERVICE_IDENTITY, "identity", "identity", NULL, NULL)                                                        \
	X(SERVICE_COMPUTE, "compute", "compute", "OpenStack-API-Version", "compute 2.79")                              \
	X(SERVICE_CLUSTER, "container-infra", "container-infra", "OpenStack-API-Version", "container-infra 1.10")      \
	X(SERVICE_STACK, "orchestration", "orchestration", NULL, NULL)                                                 \
	X(SERVICE_VOLUME, "block-storage", "block-storage,volumev3,volume", NULL, NULL)

#define AS_SERVICE(id, ...) id,
enum service { SERVICES(AS_SERVICE) };
#define SERVICES_COUNT 5
const char *service_name(enum service);

struct ask {
	enum ask_kind kind;
	enum service service; /* ASK_CLOUD */
	const char *method;
	const char *path;         /* after the endpoint's URL, with a leading slash; query included */
	const char *content_type; /* NULL with a body: application/json */
	const char *body;         /* NULL: none */
	int64_t timeout_ms;       /* 0: the port's default for its kind */
	bool is_act;              /* changes the world: leaves only from the leader, inside its lease (law L3) */
};

struct answer {
	int status; /* HTTP status; 0: none came, and why says so */
	struct err why;
	const json_t *json;      /* NULL when the body is empty or not JSON; lives until the end of the turn */
	const char *location;    /* of a redirect; "" otherwise */
	int64_t retry_after_ms;  /* -1: none given */
	const struct node *node; /* ASK_NODE: NULL when there is no such Node */
	const struct machine
		*machine;   /* ASK_NODE: the server that this node runs on by its own account; NULL unknown */
	bool is_view_fresh; /* ASK_NODE: the node list is live */
};

#endif
