/* run: the daemon on real sockets, until SIGTERM. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "daemon/daemon.h"
#include "host/host.h"

#define READ_WINDOW_MS 200       /* watch events are taken in together: wake-ups are the steady cost */
#define STOP_LIMIT_MS (15 * SEC) /* a running act is awaited, the Lease given back; then it runs out by itself */

struct running {
	struct loop *loop;
	struct daemon *daemon;
	struct mono stopping; /* 0: not asked to */
};

static int64_t turn(void *ctx)
{
	struct running *running = ctx;
	struct now now = clock_now();
	int64_t due = daemon_turn(running->daemon, now);
	bool is_late = running->stopping.ms != 0 && now.mono.ms - running->stopping.ms > STOP_LIMIT_MS;
	if (daemon_is_stopped(running->daemon) || is_late)
		loop_stop(running->loop);
	return due;
}

static void wake(void *ctx, bool is_urgent)
{
	struct running *running = ctx;
	if (is_urgent)
		loop_urgent(running->loop);
	else
		loop_wake(running->loop);
}

static void stop(void *ctx)
{
	struct running *running = ctx;
	struct now now = clock_now();
	if (running->stopping.ms == 0) {
		running->stopping = now.mono;
		daemon_stop(running->daemon, now);
		loop_urgent(running->loop);
	} else { /* asked twice: at once */
		loop_stop(running->loop);
	}
}

static bool serve(struct config *config, struct log_port *log, struct err *err)
{
	struct running running = { .loop = loop_new(err) };
	if (running.loop == NULL)
		return false;
	loop_signals(running.loop, stop, NULL, &running); /* first: a SIGTERM from here on is answered, in the loop */
	struct http_port *http = http_port_new(running.loop, err);
	struct proc_port *proc = proc_port_new(running.loop);
	struct daemon_opts opts = { .config = config,
				    .http = http,
				    .proc = proc,
				    .files = file_port_real(),
				    .log = log,
				    .wake_ctx = &running,
				    .wake = wake,
				    .seed = host_seed() };
	host_identity(opts.lease.identity, sizeof opts.lease.identity);
	if (http != NULL)
		running.daemon = daemon_new(&opts, clock_now(), err);
	if (running.daemon != NULL) {
		LOG(log, LOG_INFO, "daemon", "magnum-auto-healer " MAH_VERSION, { "cluster", config->cluster_name },
		    { "config", config->path }, { "dryRun", config->policy.is_dry_run ? "true" : NULL });
		loop_run(running.loop, turn, &running, READ_WINDOW_MS);
		LOG(log, LOG_INFO, "daemon", "stopped", { "config", config->path });
	}
	bool is_good = running.daemon != NULL;
	daemon_free(running.daemon);
	proc_port_free(proc);
	http_port_free(http);
	loop_free(running.loop);
	return is_good;
}

static int run(const struct cli_flags *flags)
{
	struct config *config = cli_config(flags->config);
	if (config == NULL)
		return 1;
	json_set_alloc_funcs(xmalloc, free);
	struct log_port *log = log_port_new(2, flags->is_json, flags->verbosity >= 4 ? LOG_DEBUG : LOG_INFO);
	for (int i = 0; i < flags->ignored_count; i++)
		LOG(log, LOG_WARN, "cli", "this flag means nothing here and is ignored", { "flag", flags->ignored[i] });
	struct err err = { 0 };
	bool is_good = !config->openstack.uses_clouds || conf_clouds(&config->openstack, file_port_real(), &err);
	is_good = is_good && serve(config, log, &err);
	if (!is_good)
		LOG(log, LOG_ERROR, "daemon", "cannot start", { "why", err.text });
	log_port_free(log);
	conf_free(config);
	return is_good ? 0 : 1;
}

const struct command command_run = {
	.name = "run",
	.help = "watch the nodes and repair the broken ones (the default)",
	.run = run,
};
