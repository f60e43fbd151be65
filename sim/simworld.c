/* simworld: a simulated cluster and its cloud on a loopback port, until SIGTERM. The first line it writes is its URL.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "sim/serve.h"

#define PEM_BYTES_MAX 65536
#define NODES_MAX 10000

enum flag {
	OPT_PORT = 256,
	OPT_CERT,
	OPT_KEY,
	OPT_MASTERS,
	OPT_WORKERS,
	OPT_EXTRA,
	OPT_PACE,
	OPT_SEED,
	OPT_TOKEN,
	OPT_GRACE,
	OPT_HEARTBEAT,
	OPT_PREFIX,
	OPT_WORKER,
	OPT_UUID,
	OPT_NAME,
	OPT_ZONES,
	OPT_HOSTS,
	OPT_NO_ETCD_VOLUME,
	OPT_VOLUME_BOOT,
	OPT_NO_HEAT,
	OPT_NO_CINDER,
	OPT_NO_MAGNUM,
	OPT_NO_WATCH_LIST,
	OPT_NO_KUBE,
	OPT_HELP
};

static const struct option_help {
	enum flag id;
	const char *name, *value, *help;
} options[] = {
	{ OPT_PORT, "port", "N", "port on 127.0.0.1 (default 0: any that is free)" },
	{ OPT_CERT, "cert", "FILE", "server certificate, PEM (see mkcert.sh); without it: plain HTTP" },
	{ OPT_KEY, "key", "FILE", "its key, PEM" },
	{ OPT_MASTERS, "masters", "N", "how many masters" },
	{ OPT_WORKERS, "workers", "N", "how many workers" },
	{ OPT_EXTRA, "extra-workers", "N", "how many workers in a second node group" },
	{ OPT_PACE, "pace", "X", "how long the cloud takes for everything; 1 is as a real one" },
	{ OPT_SEED, "seed", "N", "of everything that is random" },
	{ OPT_TOKEN, "token", "TEXT", "bearer token of the Kubernetes part (default: none is needed)" },
	{ OPT_GRACE, "grace", "DURATION", "node-monitor-grace-period" },
	{ OPT_HEARTBEAT, "heartbeat", "DURATION", "how often a kubelet writes its status" },
	{ OPT_PREFIX, "node-prefix", "TEXT", "nodes are TEXT-master-0, TEXT-node-0, ..." },
	{ OPT_WORKER, "worker-word", "TEXT", "in place of the word node in these names: minion" },
	{ OPT_UUID, "cluster-uuid", "UUID", "of the Magnum cluster" },
	{ OPT_NAME, "cluster-name", "TEXT", "of the Magnum cluster" },
	{ OPT_ZONES, "zones", "N", "zones that the nodes are in, in turn (default 0: none)" },
	{ OPT_HOSTS, "hosts", "N", "compute hosts (default 0: each server has one of its own)" },
	{ OPT_NO_ETCD_VOLUME, "no-etcd-volume", NULL, "a replaced master loses its etcd data" },
	{ OPT_VOLUME_BOOT, "volume-boot", NULL, "the servers boot from volumes" },
	{ OPT_NO_HEAT, "no-heat", NULL, "no Heat in the catalog" },
	{ OPT_NO_CINDER, "no-cinder", NULL, "no Cinder in the catalog" },
	{ OPT_NO_MAGNUM, "no-magnum", NULL, "no Magnum in the catalog" },
	{ OPT_NO_WATCH_LIST, "no-watch-list", NULL, "the API server does not know sendInitialEvents" },
	{ OPT_NO_KUBE, "no-kube", NULL, "no Kubernetes paths: a real API server stands beside it" },
	{ OPT_HELP, "help", NULL, "this text" },
};

static void usage(FILE *out)
{
	(void)fprintf(out, "usage: simworld [--option[=value]]...\n");
	for (size_t i = 0; i < COUNT(options); i++) {
		char left[64];
		(void)snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].value != NULL ? " " : "",
			       options[i].value != NULL ? options[i].value : "");
		(void)fprintf(out, "  %-24s %s\n", left, options[i].help);
	}
}

static bool read_pem(const char *path, char **out, struct err *err)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return fail(err, ERR_INPUT, "%s: %s", path, strerror(errno));
	char *text = xcalloc(1, PEM_BYTES_MAX + 1);
	size_t n = fread(text, 1, PEM_BYTES_MAX + 1, file);
	bool is_read = ferror(file) == 0 && n <= PEM_BYTES_MAX;
	(void)fclose(file); /* only read from */
	if (!is_read) {
		free(text);
		return fail(err, ERR_INPUT, "%s: cannot be read, or is too large", path);
	}
	text[n] = '\0';
	free(*out);
	*out = text;
	return true;
}

static bool number(const char *name, const char *text, double most, double *out, struct err *err)
{
	char *end = NULL;
	errno = 0;
	double value = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || !(value >= 0 && value <= most))
		return fail(err, ERR_INPUT, "--%s: \"%s\" is not a number from 0 to %.0f", name, text, most);
	*out = value;
	return true;
}

static bool count(const char *name, const char *text, int *out, struct err *err)
{
	double value = 0;
	if (!number(name, text, NODES_MAX, &value, err))
		return false;
	*out = (int)value;
	return true;
}

static bool duration(const char *name, const char *text, int64_t *out_ms, struct err *err)
{
	return duration_parse(str_of(text), out_ms) ||
	       fail(err, ERR_INPUT, "--%s: \"%s\" is not a duration such as 40s", name, text);
}

/* What was given, with the two texts that are ours. */
struct given {
	struct serve_opts opts;
	char *cert, *key;
	bool wants_help;
};

/* One option a case. NOLINTNEXTLINE(readability-function-size) */
/* Options that cannot be wrong. */
static void take_plain(struct given *given, enum flag id, const char *value)
{
	struct world_opts *world = &given->opts.world;
	switch ((int)id) {
	case OPT_TOKEN:
		given->opts.token = value;
		break;
	case OPT_PREFIX:
		world->node_prefix = value;
		break;
	case OPT_WORKER:
		world->worker_word = value;
		break;
	case OPT_UUID:
		world->cluster_uuid = value;
		break;
	case OPT_NAME:
		world->cluster_name = value;
		break;
	case OPT_NO_HEAT:
		world->with_heat = false;
		break;
	case OPT_NO_CINDER:
		world->with_cinder = false;
		break;
	case OPT_NO_MAGNUM:
		world->with_magnum = false;
		break;
	case OPT_NO_WATCH_LIST:
		given->opts.has_watch_list = false;
		break;
	case OPT_NO_KUBE:
		given->opts.has_kube = false;
		break;
	case OPT_NO_ETCD_VOLUME:
		world->with_etcd_volume = false;
		break;
	case OPT_VOLUME_BOOT:
		world->with_volume_boot = true;
		break;
	}
}

static bool take(struct given *given, enum flag id, const char *name, const char *value, struct err *err)
{
	struct world_opts *world = &given->opts.world;
	double n = 0;
	switch (id) {
	case OPT_PORT:
		if (!number(name, value, 65535, &n, err))
			return false;
		given->opts.port = (uint16_t)n;
		return true;
	case OPT_SEED:
		if (!number(name, value, 9e15, &n, err))
			return false;
		world->seed = (uint64_t)n;
		return true;
	case OPT_CERT:
		return read_pem(value, &given->cert, err);
	case OPT_KEY:
		return read_pem(value, &given->key, err);
	case OPT_MASTERS:
		return count(name, value, &world->masters, err);
	case OPT_WORKERS:
		return count(name, value, &world->workers, err);
	case OPT_EXTRA:
		return count(name, value, &world->extra_workers, err);
	case OPT_ZONES:
		return count(name, value, &world->zones, err);
	case OPT_HOSTS:
		return count(name, value, &world->hosts, err);
	case OPT_PACE:
		return number(name, value, 1000, &world->pace, err);
	case OPT_GRACE:
		return duration(name, value, &world->grace_ms, err);
	case OPT_HEARTBEAT:
		return duration(name, value, &world->heartbeat_ms, err);
	case OPT_TOKEN:
	case OPT_PREFIX:
	case OPT_WORKER:
	case OPT_UUID:
	case OPT_NAME:
	case OPT_NO_HEAT:
	case OPT_NO_CINDER:
	case OPT_NO_MAGNUM:
	case OPT_NO_WATCH_LIST:
	case OPT_NO_KUBE:
	case OPT_NO_ETCD_VOLUME:
	case OPT_VOLUME_BOOT:
		take_plain(given, id, value);
		return true;
	case OPT_HELP:
		given->wants_help = true;
		return true;
	}
	return fail(err, ERR_INPUT, "unknown option");
}

static bool parse(struct given *given, int argc, char **argv, struct err *err)
{
	struct option table[COUNT(options) + 1] = { 0 };
	for (size_t i = 0; i < COUNT(options); i++)
		table[i] = (struct option){ options[i].name, options[i].value != NULL ? required_argument : no_argument,
					    NULL, (int)options[i].id };
	int at = 0;
	int id = 0;
	opterr = 0;
	while ((id = getopt_long(argc, argv, "", table, &at)) != -1) {
		if (id == '?')
			return fail(err, ERR_INPUT, "%s: unknown option, or its value is missing", argv[optind - 1]);
		if (!take(given, (enum flag)id, table[at].name, optarg, err))
			return false;
	}
	if (optind < argc)
		return fail(err, ERR_INPUT, "%s: no arguments are expected", argv[optind]);
	if ((given->cert == NULL) != (given->key == NULL))
		return fail(err, ERR_INPUT, "--cert and --key go together");
	given->opts.cert_pem = given->cert;
	given->opts.key_pem = given->key;
	return true;
}

static bool run(struct given *given, struct err *err)
{
	sigset_t stops;
	(void)sigemptyset(&stops); /* these three cannot fail with these arguments */
	(void)sigaddset(&stops, SIGTERM);
	(void)sigaddset(&stops, SIGINT);
	if (sigprocmask(SIG_BLOCK, &stops, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return fail(err, ERR_INPUT, "signals: %s", strerror(errno));
	int stop_fd = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
	if (stop_fd < 0)
		return fail(err, ERR_INPUT, "signalfd: %s", strerror(errno));
	struct serve *serve = serve_new(&given->opts, err);
	bool is_good = serve != NULL;
	if (is_good) {
		(void)printf("%s\n", serve_url(serve)); /* checked by the flush */
		is_good = fflush(stdout) == 0 && serve_run(serve, stop_fd, err);
	}
	serve_free(serve);
	(void)close(stop_fd); /* nothing was written to it */
	return is_good;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	struct given given = { .opts = { .world = world_defaults(), .has_kube = true, .has_watch_list = true } };
	given.opts.world.network = 127; /* whoever probes these servers must not leave the machine */
	bool is_good = parse(&given, argc, argv, &err);
	if (is_good && given.wants_help)
		usage(stdout);
	else if (is_good)
		is_good = run(&given, &err);
	if (!is_good)
		(void)fprintf(stderr, "simworld: %s\n", err.text);
	free(given.cert);
	free(given.key);
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
