/* sim-run: many seeds, each a cluster's life in virtual time, all laws checked after every event.
 *
 *   sim-run --seeds 5000 --jobs 2          those from the first one on
 *   sim-run --minutes 60 --jobs 2          as many as an hour allows, from a random first one on (or --first) */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "sim/run.h"

struct opts {
	long first, seeds, hours, jobs, minutes;
	bool is_verbose, is_until_broken;
	enum run_script script;
};
static const char *const scripts[] = { [SCRIPT_NONE] = "none",
				       [SCRIPT_IN_PLACE] = "in-place",
				       [SCRIPT_RESIZE] = "resize",
				       [SCRIPT_OUTAGE_ZONE] = "outage-zone",
				       [SCRIPT_OUTAGE_HALF] = "outage-half" };
#define PROGRESS_S 60 /* how often a long run says that it lives */

struct total {
	long done, broken;
	struct run_stats stats;
};

static void add(struct run_stats *to, const struct run_stats *from)
{
	to->events += from->events;
	to->requests += from->requests;
	to->turns += from->turns;
	to->acts += from->acts;
	to->crashes += from->crashes;
	to->freezes += from->freezes;
	to->faults += from->faults;
	to->unhealed += from->unhealed;
	to->given_up += from->given_up;
	to->never_joined += from->never_joined;
	to->virtual_ms += from->virtual_ms;
}

static double seconds(void)
{
	struct timespec at;
	(void)clock_gettime(CLOCK_MONOTONIC, &at); /* cannot fail for this clock */
	return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static double years(const struct run_stats *stats)
{
	return (double)stats->virtual_ms / (365.25 * 24 * (double)HOUR);
}

static bool is_wanted(const struct opts *opts, long i, double began)
{
	return opts->minutes > 0 ? seconds() - began < (double)opts->minutes * 60 : i < opts->seeds;
}

static void tell_violation(const struct opts *opts, const struct run_opts *run, const char *violation)
{
	char hours[40] = "";
	if (opts->hours > 0)
		(void)snprintf(hours, sizeof hours, " --hours %ld", opts->hours);
	(void)fprintf(stderr, "seed %llu: %s\nreproduce: sim-run --first %llu --seeds 1%s\n\n",
		      (unsigned long long)run->seed, violation, (unsigned long long)run->seed, hours);
}

/* One job: every jobs-th seed. The totals go back through the pipe. */
static void work(const struct opts *opts, long job, int out)
{
	struct total total = { 0 };
	double began = seconds();
	double told = began;
	for (long i = job; is_wanted(opts, i, began); i += opts->jobs) {
		struct run_opts run = { .seed = (uint64_t)(opts->first + i),
					.hours = (int)opts->hours,
					.script = opts->script,
					.is_verbose = opts->is_verbose };
		struct run_stats stats = { 0 };
		char violation[400];
		bool is_good = run_seed(&run, &stats, violation, sizeof violation);
		add(&total.stats, &stats);
		total.done++;
		if (!is_good) {
			total.broken++;
			tell_violation(opts, &run, violation);
		}
		if (!is_good && opts->is_until_broken)
			break;
		if (opts->minutes > 0 && job == 0 && seconds() - told > PROGRESS_S) {
			told = seconds();
			(void)fprintf(stderr,
				      "%.0f s: job 0 has simulated %.2f years in %ld seeds, %ld violated a law\n",
				      told - began, years(&total.stats), total.done, total.broken);
		}
	}
	ssize_t n = write(out, &total, sizeof total);
	exit(n == (ssize_t)sizeof total ? 0 : 1);
}

static bool parse_script(const char *name, enum run_script *out)
{
	for (size_t i = 0; i < COUNT(scripts); i++) {
		if (strcmp(scripts[i], name) == 0) {
			*out = (enum run_script)i;
			return true;
		}
	}
	return false;
}

static bool parse(int argc, char **argv, struct opts *opts)
{
	static const struct option longs[] = { { "seeds", required_argument, NULL, 'n' },
					       { "first", required_argument, NULL, 'f' },
					       { "hours", required_argument, NULL, 'h' },
					       { "jobs", required_argument, NULL, 'j' },
					       { "minutes", required_argument, NULL, 'm' },
					       { "verbose", no_argument, NULL, 'v' },
					       { "stop", no_argument, NULL, 's' },
					       { "script", required_argument, NULL, 'c' },
					       { NULL, 0, NULL, 0 } };
	int c = 0;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'n':
			opts->seeds = strtol(optarg, NULL, 10);
			break;
		case 'f':
			opts->first = strtol(optarg, NULL, 10);
			break;
		case 'h':
			opts->hours = strtol(optarg, NULL, 10);
			break;
		case 'j':
			opts->jobs = strtol(optarg, NULL, 10);
			break;
		case 'm':
			opts->minutes = strtol(optarg, NULL, 10);
			break;
		case 'c':
			if (!parse_script(optarg, &opts->script))
				return false;
			break;
		case 'v':
			opts->is_verbose = true;
			break;
		case 's':
			opts->is_until_broken = true;
			break;
		default:
			return false;
		}
	}
	return opts->seeds > 0 && opts->hours >= 0 && opts->jobs > 0 && opts->jobs <= 64 && opts->minutes >= 0 &&
	       optind == argc;
}

/* Waits for all jobs. How many did not end well: a sanitizer speaks after the last seed, too. */
static long unclean_ends(void)
{
	long count = 0;
	int status = 0;
	pid_t pid = 0;
	while ((pid = wait(&status)) > 0 || errno == EINTR) {
		if (pid > 0 && status != 0) {
			(void)fprintf(stderr, "a job ended with status %#x\n", (unsigned)status);
			count++;
		}
	}
	return count;
}

/* A soak that is not told where to begin begins where nobody has been. */
static long random_seed(void)
{
	uint32_t bytes = 0;
	if (getrandom(&bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		bytes = (uint32_t)time(NULL);
	return (long)bytes + 1000000;
}

static bool start_jobs(const struct opts *opts, int pipes[][2])
{
	for (long job = 0; job < opts->jobs; job++) {
		if (pipe(pipes[job]) != 0)
			return false;
		pid_t pid = fork();
		if (pid < 0)
			return false;
		if (pid == 0)
			work(opts, job, pipes[job][1]);
		(void)close(pipes[job][1]);
	}
	return true;
}

static void tell_total(const struct opts *opts, const struct total *total, double took)
{
	const struct run_stats *stats = &total->stats;
	printf("%ld seeds from %ld on: %ld violated a law\n", total->done, opts->first, total->broken);
	printf("%llu faults, %llu crashes, %llu freezes; %llu acts, %llu requests, %llu turns, %llu events\n",
	       (unsigned long long)stats->faults, (unsigned long long)stats->crashes,
	       (unsigned long long)stats->freezes, (unsigned long long)stats->acts, (unsigned long long)stats->requests,
	       (unsigned long long)stats->turns, (unsigned long long)stats->events);
	printf("at the end: %llu unhealed, of them %llu given up; %llu servers never joined\n",
	       (unsigned long long)stats->unhealed, (unsigned long long)stats->given_up,
	       (unsigned long long)stats->never_joined);
	printf("%.2f simulated years (%.0f hours) in %.1f s\n", years(stats), (double)stats->virtual_ms / (double)HOUR,
	       took);
}

int main(int argc, char **argv)
{
	struct opts opts = { .first = -1, .seeds = 100, .jobs = 1 };
	if (!parse(argc, argv, &opts)) {
		(void)fprintf(stderr, "usage: sim-run [--first SEED] [--seeds N | --minutes M] [--hours H] [--jobs N] "
				      "[--script in-place|resize|outage-zone|outage-half] [--stop] [--verbose]\n");
		return 2;
	}
	if (opts.first < 0)
		opts.first = opts.minutes > 0 ? random_seed() : 1;
	json_object_seed(1); /* the same order of everything in every run */
	double began = seconds();
	struct total total = { 0 };
	int pipes[64][2];
	if (!start_jobs(&opts, pipes))
		return 1;
	for (long job = 0; job < opts.jobs; job++) {
		struct total one;
		if (read(pipes[job][0], &one, sizeof one) != (ssize_t)sizeof one) {
			(void)fprintf(stderr, "job %ld died\n", job); /* counted when its end is looked at */
			continue;
		}
		total.done += one.done;
		total.broken += one.broken;
		add(&total.stats, &one.stats);
	}
	total.broken += unclean_ends();
	tell_total(&opts, &total, seconds() - began);
	bool is_complete = opts.minutes > 0 || total.done == opts.seeds;
	return total.broken == 0 && is_complete ? 0 : 1;
}
