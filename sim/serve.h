/* A world behind one loopback address, over HTTPS, in real time: the demo's and the functional tests' cloud and
 * cluster. One thread; everything happens inside serve_run(). */
#ifndef MAH_SIM_SERVE_H
#define MAH_SIM_SERVE_H

#include "base/err.h"
#include "sim/world.h"

struct serve;
struct serve_opts {
	uint16_t port;                  /* on 127.0.0.1; 0: any that is free */
	const char *cert_pem, *key_pem; /* texts; NULL: plain HTTP */
	struct world_opts world;        /* base_url and the callbacks are filled in here */
	bool has_kube;                  /* false: the Kubernetes paths are 404 (a real API server stands beside it) */
	bool has_watch_list;
	const char *token; /* bearer token of the Kubernetes part; NULL: none is needed */
};
/* Listens and makes the world. NULL on failure. */
struct serve *serve_new(const struct serve_opts *, struct err *err);
void serve_free(struct serve *);
const char *serve_url(const struct serve *); /* "https://127.0.0.1:41234" */
struct world *serve_world(struct serve *);
/* Until stop_fd can be read. False: the loop broke. */
bool serve_run(struct serve *, int stop_fd, struct err *err);

#endif
