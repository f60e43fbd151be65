/* sim-run: many seeds, each a cluster's life in virtual time, all laws checked after every event. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "sim/run.h"

struct opts {
	long first, seeds, hours, jobs;
	bool is_verbose, is_until_broken;
};

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
}

/* One job: every jobs-th seed. The totals go back through the pipe. */
static void work(const struct opts *opts, long job, int out)
{
	struct total total = { 0 };
	for (long i = job; i < opts->seeds; i += opts->jobs) {
		struct run_opts run = { .seed = (uint64_t)(opts->first + i),
					.hours = (int)opts->hours,
					.is_verbose = opts->is_verbose };
		struct run_stats stats = { 0 };
		char violation[400];
		bool is_good = run_seed(&run, &stats, violation, sizeof violation);
		add(&total.stats, &stats);
		total.done++;
		if (is_good)
			continue;
		total.broken++;
		(void)fprintf(stderr, "seed %llu: %s\nreproduce: sim-run --first %llu --seeds 1 --hours %ld\n\n",
			      (unsigned long long)run.seed, violation, (unsigned long long)run.seed, opts->hours);
		if (opts->is_until_broken)
			break;
	}
	ssize_t n = write(out, &total, sizeof total);
	exit(n == (ssize_t)sizeof total ? 0 : 1);
}

static bool parse(int argc, char **argv, struct opts *opts)
{
	static const struct option longs[] = { { "seeds", required_argument, NULL, 'n' },
					       { "first", required_argument, NULL, 'f' },
					       { "hours", required_argument, NULL, 'h' },
					       { "jobs", required_argument, NULL, 'j' },
					       { "verbose", no_argument, NULL, 'v' },
					       { "stop", no_argument, NULL, 's' },
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
	return opts->seeds > 0 && opts->hours > 0 && opts->jobs > 0 && opts->jobs <= 64 && optind == argc;
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

static double seconds(void)
{
	struct timespec at;
	(void)clock_gettime(CLOCK_MONOTONIC, &at); /* cannot fail for this clock */
	return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	struct opts opts = { .first = 1, .seeds = 100, .hours = 24, .jobs = 1 };
	if (!parse(argc, argv, &opts)) {
		(void)fprintf(
			stderr,
			"usage: sim-run [--first SEED] [--seeds N] [--hours H] [--jobs N] [--stop] [--verbose]\n");
		return 2;
	}
	json_object_seed(1); /* the same order of everything in every run */
	double began = seconds();
	struct total total = { 0 };
	int pipes[64][2];
	for (long job = 0; job < opts.jobs; job++) {
		if (pipe(pipes[job]) != 0)
			return 1;
		pid_t pid = fork();
		if (pid < 0)
			return 1;
		if (pid == 0)
			work(&opts, job, pipes[job][1]);
		(void)close(pipes[job][1]);
	}
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
	double took = seconds() - began;
	printf("%ld seeds of %ld hours: %ld violated a law\n", total.done, opts.hours, total.broken);
	printf("%llu faults, %llu crashes, %llu freezes; %llu acts, %llu requests, %llu turns, %llu events\n",
	       (unsigned long long)total.stats.faults, (unsigned long long)total.stats.crashes,
	       (unsigned long long)total.stats.freezes, (unsigned long long)total.stats.acts,
	       (unsigned long long)total.stats.requests, (unsigned long long)total.stats.turns,
	       (unsigned long long)total.stats.events);
	printf("at the end: %llu unhealed, of them %llu given up; %llu servers never joined\n%.0f virtual hours in "
	       "%.1f s\n",
	       (unsigned long long)total.stats.unhealed, (unsigned long long)total.stats.given_up,
	       (unsigned long long)total.stats.never_joined, (double)total.done * (double)opts.hours, took);
	return total.broken == 0 && total.done == opts.seeds ? 0 : 1;
}
