/* Child processes on the loop: posix_spawn, a pidfd that becomes readable at the end, and three pipes.
 *
 *   start ─▶ WAITING ─(next pass)─▶ RUNNING ─ exited and both pipes at their end ─▶ done(), reaped, freed
 *                │                     └─ deadline, too much output, cancel ─▶ group killed, done() (not after
 *                └─ could not start ─▶ done()                                 cancel) ─▶ DYING ─ pidfd ─▶ reaped, freed
 *
 * The child is the leader of a process group of its own and is reaped last, after its group was killed: as long as the
 * leader is a zombie nobody else can get its number, so the kill cannot hit a stranger. Only our ends of the pipes are
 * non-blocking; the child's are as every program expects them. */
#include "host/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define ERRORS_BYTES_MAX 4096
#define RUNNING_MAX 128  /* a child costs four descriptors; the usual limit of a process is 1,024 */
#define FAREWELL_MS 1000 /* how long the end of the program waits for killed children */
#define READ_CHUNK_BYTES 16384

enum phase { PHASE_WAITING, PHASE_RUNNING, PHASE_DYING };

struct pipe_end {
	int fd; /* ours; -1 when closed */
	struct event *event;
};

struct job {
	TAILQ_ENTRY(job) link;
	struct procs *procs;
	uint64_t id;
	void (*done)(void *sink, uint64_t id, const struct proc_answer *);
	void *sink;
	enum phase phase;
	char **argv;
	char **env; /* the whole environment of the child */
	char *dir;
	char *input;
	size_t input_n, input_at;
	int64_t timeout_ms;
	size_t output_bytes_max;
	struct buf out;
	struct buf errors;
	pid_t pid;
	int pidfd;
	struct event *on_exit;
	struct event *deadline;
	struct pipe_end in, outs, errs;
	bool has_exited;
	struct err why;
};
TAILQ_HEAD(jobs, job);

struct procs {
	struct proc_port port;
	struct event_base *base;
	struct event *soon;
	struct jobs jobs;
	size_t count;
};

static char **texts_copy(const char *const *from)
{
	size_t n = 0;
	while (from[n] != NULL)
		n++;
	char **copy = xcalloc(n + 1, sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(from[i]);
	return copy;
}

static void texts_free(char **texts)
{
	for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
		free(texts[i]);
	free(texts);
}

static bool is_same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");
	return n == strcspn(b, "=") && memcmp(a, b, n) == 0;
}

/* Our environment with MORE on top: a name that is in both has the value of MORE. */
static char **env_merge(const char *const *more)
{
	size_t ours = 0;
	size_t added = 0;
	while (environ[ours] != NULL)
		ours++;
	while (more != NULL && more[added] != NULL)
		added++;
	char **env = xcalloc(ours + added + 1, sizeof *env);
	size_t n = 0;
	for (size_t i = 0; i < ours; i++) {
		bool is_hidden = false;
		for (size_t k = 0; k < added; k++)
			is_hidden = is_hidden || is_same_name(environ[i], more[k]);
		if (!is_hidden)
			env[n++] = xstrdup(environ[i]);
	}
	for (size_t k = 0; k < added; k++)
		env[n++] = xstrdup(more[k]);
	return env;
}

static void end_close(struct pipe_end *end)
{
	event_drop(&end->event);
	if (end->fd >= 0)
		(void)close(end->fd); /* a pipe has nothing to flush */
	end->fd = -1;
}

static void job_free(struct job *job)
{
	TAILQ_REMOVE(&job->procs->jobs, job, link);
	job->procs->count--;
	event_drop(&job->on_exit);
	event_drop(&job->deadline);
	end_close(&job->in);
	end_close(&job->outs);
	end_close(&job->errs);
	if (job->pidfd >= 0)
		(void)close(job->pidfd);
	texts_free(job->argv);
	texts_free(job->env);
	free(job->dir);
	free(job->input);
	buf_done(&job->out);
	buf_done(&job->errors);
	free(job);
}

/* Tells the owner; afterwards the job belongs to nobody but the reaper. */
static void tell(struct job *job, int exit_code)
{
	struct proc_answer answer = {
		.exit_code = exit_code, .why = job->why, .out = buf_str(&job->out), .errors = buf_str(&job->errors)
	};
	job->phase = PHASE_DYING; /* before the call: a cancel() in it finds nothing */
	job->done(job->sink, job->id, &answer);
}

static void kill_group(const struct job *job)
{
	/* ESRCH: everybody is gone already. The leader is not reaped yet, so the number is still ours. */
	(void)kill(-job->pid, SIGKILL);
}

/* Stops everything of a child that runs; what is left is to reap it when it is gone. */
static void job_abandon(struct job *job)
{
	kill_group(job);
	event_drop(&job->deadline);
	end_close(&job->in);
	end_close(&job->outs);
	end_close(&job->errs);
	job->phase = PHASE_DYING;
}

static void reap(struct job *job, siginfo_t *info)
{
	*info = (siginfo_t){ 0 };
	int rc;
	do
		rc = waitid(P_PIDFD, (id_t)job->pidfd, info, WEXITED | WNOHANG);
	while (rc != 0 && errno == EINTR);
}

static int exit_code_of(struct job *job, const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return info->si_status;
	fail(&job->why, ERR_REMOTE, "%s was killed by signal %d (%s)", job->argv[0], info->si_status,
	     strsignal(info->si_status));
	return -1;
}

/* Breaks off a running child for the reason in job->why. */
static void job_fail(struct job *job)
{
	job_abandon(job);
	tell(job, -1);
	if (job->has_exited) {
		siginfo_t info;
		reap(job, &info);
		job_free(job);
	}
}

static void end_if_over(struct job *job)
{
	if (job->phase != PHASE_RUNNING || !job->has_exited || job->outs.fd >= 0 || job->errs.fd >= 0)
		return;
	siginfo_t info;
	kill_group(job); /* those who closed their pipes and stayed */
	reap(job, &info);
	tell(job, exit_code_of(job, &info));
	job_free(job);
}

static void on_exit_ready(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	(void)fd;
	(void)what;
	(void)event_del(job->on_exit); /* it stays readable until it is reaped */
	job->has_exited = true;
	if (job->phase == PHASE_DYING) {
		siginfo_t info;
		reap(job, &info);
		job_free(job);
		return;
	}
	end_if_over(job);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	(void)fd;
	(void)what;
	if (job->has_exited)
		fail(&job->why, ERR_TIMEOUT, "%s left a process behind that held its output open for %lld ms",
		     job->argv[0], (long long)job->timeout_ms);
	else
		fail(&job->why, ERR_TIMEOUT, "%s did not end within %lld ms", job->argv[0], (long long)job->timeout_ms);
	job_fail(job);
}

/* Reads once. True when the end of the stream is reached. */
static bool read_some(int fd, char *chunk, size_t *out_n)
{
	ssize_t n = read(fd, chunk, READ_CHUNK_BYTES);
	*out_n = n > 0 ? (size_t)n : 0;
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	char chunk[READ_CHUNK_BYTES];
	size_t n;
	(void)what;
	bool is_end = read_some(fd, chunk, &n);
	if (n > job->output_bytes_max - job->out.n) {
		fail(&job->why, ERR_LIMIT, "%s wrote more than %zu bytes", job->argv[0], job->output_bytes_max);
		job_fail(job);
		return;
	}
	(void)buf_add(&job->out, chunk, n); /* just seen to fit */
	if (is_end)
		end_close(&job->outs);
	end_if_over(job);
}

static void on_errors(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	char chunk[READ_CHUNK_BYTES];
	size_t n;
	(void)what;
	bool is_end = read_some(fd, chunk, &n);
	size_t room = ERRORS_BYTES_MAX - job->errors.n;
	(void)buf_add(&job->errors, chunk, n < room ? n : room); /* the rest is read and forgotten */
	if (is_end)
		end_close(&job->errs);
	end_if_over(job);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	(void)what;
	ssize_t n = write(fd, job->input + job->input_at, job->input_n - job->input_at);
	if (n > 0)
		job->input_at += (size_t)n;
	bool is_broken = n < 0 && errno != EAGAIN && errno != EINTR; /* it need not read all: no failure */
	if (is_broken || job->input_at == job->input_n)
		end_close(&job->in);
}

/* Makes one pipe; OURS becomes non-blocking. Both ends lie above the standard three, so that placing one in the child
 * never overwrites another. */
static bool pipe_make(int fds[2], int ours, struct err *err)
{
	if (pipe2(fds, O_CLOEXEC) != 0) {
		fds[0] = fds[1] = -1;
		return fail(err, ERR_LIMIT, "a pipe cannot be made: %s", strerror(errno));
	}
	for (int i = 0; i < 2; i++) {
		if (fds[i] > STDERR_FILENO)
			continue;
		int moved = fcntl(fds[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (moved < 0)
			return fail(err, ERR_LIMIT, "a pipe cannot be made: %s", strerror(errno));
		(void)close(fds[i]);
		fds[i] = moved;
	}
	int flags = fcntl(fds[ours], F_GETFL);
	if (flags < 0 || fcntl(fds[ours], F_SETFL, flags | O_NONBLOCK) != 0)
		return fail(err, ERR_LIMIT, "a pipe cannot be made: %s", strerror(errno));
	return true;
}

/* 0 or an errno. */
static int spawn(struct job *job, const int child[3])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	sigset_t all;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	int rc = 0;
	for (int i = 0; i < 3 && rc == 0; i++)
		rc = posix_spawn_file_actions_adddup2(&actions, child[i], i);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	if (rc == 0 && job->dir != NULL)
		rc = posix_spawn_file_actions_addchdir_np(&actions, job->dir);
	/* A group of its own, and signals as a fresh program expects them: we ignore SIGPIPE, it must not. */
	if (rc == 0)
		rc = posix_spawnattr_setflags(&attr,
					      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawnattr_setpgroup(&attr, 0);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(&attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(&attr, &all);
	if (rc == 0)
		rc = posix_spawnp(&job->pid, job->argv[0], &actions, &attr, job->argv, job->env);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static void close_all(int fds[6])
{
	for (int i = 0; i < 6; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
}

static void listen_to(struct job *job, struct pipe_end *end, int fd, short what, event_callback_fn fn)
{
	end->fd = fd;
	end->event = event_or_abort(job->procs->base, fd, (short)(what | EV_PERSIST), fn, job);
	int rc = event_add(end->event, NULL);
	assert(rc == 0);
}

/* Without a pidfd the end cannot be noticed, so there must be no child either. */
static bool pidfd_of(struct job *job, struct err *err)
{
	job->pidfd = pidfd_open(job->pid, 0);
	if (job->pidfd >= 0)
		return true;
	fail(err, ERR_LIMIT, "%s cannot be watched: %s", job->argv[0], strerror(errno));
	kill_group(job);
	(void)waitpid(job->pid, NULL, 0);
	return false;
}

static bool job_run(struct job *job, struct err *err)
{
	int fds[6] = { -1, -1, -1, -1, -1, -1 };
	bool ok = pipe_make(fds, 1, err) && pipe_make(fds + 2, 0, err) && pipe_make(fds + 4, 0, err);
	if (ok) {
		int rc = spawn(job, (const int[]){ fds[0], fds[3], fds[5] });
		if (rc != 0)
			ok = fail(err, ERR_INPUT, "%s cannot be started: %s", job->argv[0], strerror(rc));
	}
	if (!ok || !pidfd_of(job, err)) {
		close_all(fds);
		return false;
	}
	(void)close(fds[0]);
	(void)close(fds[3]);
	(void)close(fds[5]);
	job->phase = PHASE_RUNNING;
	listen_to(job, &job->in, fds[1], EV_WRITE, on_input);
	listen_to(job, &job->outs, fds[2], EV_READ, on_output);
	listen_to(job, &job->errs, fds[4], EV_READ, on_errors);
	if (job->input_n == 0)
		end_close(&job->in); /* it reads the end of the file at once */
	job->on_exit = event_or_abort(job->procs->base, job->pidfd, EV_READ | EV_PERSIST, on_exit_ready, job);
	int rc = event_add(job->on_exit, NULL);
	assert(rc == 0);
	job->deadline = event_or_abort(job->procs->base, -1, 0, on_deadline, job);
	timer_arm(job->deadline, job->timeout_ms);
	return true;
}

static struct job *first_waiting(struct procs *procs)
{
	struct job *job = NULL;
	TAILQ_FOREACH(job, &procs->jobs, link) {
		/* The analyser does not see that TAILQ_REMOVE took the freed ones off the list. */
		if (job->phase == PHASE_WAITING) /* NOLINT(clang-analyzer-unix.Malloc) */
			return job;
	}
	return NULL;
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct procs *procs = arg;
	(void)fd;
	(void)what;
	/* No more than are here now: a done() that starts another one that fails must not keep us in this loop. */
	struct job *job;
	for (size_t n = procs->count; n > 0 && (job = first_waiting(procs)) != NULL; n--) {
		if (job->why.code == ERR_NONE && job_run(job, &job->why))
			continue;
		tell(job, -1);
		job_free(job);
	}
	if (first_waiting(procs) != NULL)
		timer_arm(procs->soon, 0);
}

static void proc_start(void *ctx, uint64_t id, const struct proc_request *request,
		       void (*done)(void *sink, uint64_t id, const struct proc_answer *), void *sink)
{
	struct procs *procs = ctx;
	assert(request->argv != NULL && request->argv[0] != NULL);
	struct job *job = xcalloc(1, sizeof *job);
	*job = (struct job){ .procs = procs,
			     .id = id,
			     .done = done,
			     .sink = sink,
			     .phase = PHASE_WAITING,
			     .argv = texts_copy(request->argv),
			     .env = env_merge(request->env),
			     .dir = xstrdup(request->dir),
			     .timeout_ms = request->timeout_ms,
			     .output_bytes_max = request->output_bytes_max,
			     .pidfd = -1,
			     .in = { .fd = -1 },
			     .outs = { .fd = -1 },
			     .errs = { .fd = -1 } };
	if (request->input.n > 0) {
		job->input = xmalloc(request->input.n);
		memcpy(job->input, request->input.p, request->input.n);
		job->input_n = request->input.n;
	}
	buf_init(&job->out, request->output_bytes_max > 0 ? request->output_bytes_max : 1);
	buf_init(&job->errors, ERRORS_BYTES_MAX);
	if (procs->count >= RUNNING_MAX)
		fail(&job->why, ERR_BUSY, "%s not started: %d programs are running", job->argv[0], RUNNING_MAX);
	TAILQ_INSERT_TAIL(&procs->jobs, job, link);
	procs->count++;
	timer_arm(procs->soon, 0);
}

static void proc_cancel(void *ctx, uint64_t id)
{
	struct procs *procs = ctx;
	struct job *job = NULL;
	TAILQ_FOREACH(job, &procs->jobs, link) {
		if (job->id == id && job->phase != PHASE_DYING)
			break;
	}
	if (job == NULL)
		return;
	if (job->phase == PHASE_WAITING) {
		job_free(job);
		return;
	}
	job_abandon(job);
	if (job->has_exited) {
		siginfo_t info;
		reap(job, &info);
		job_free(job);
	}
}

struct proc_port *proc_port_new(struct loop *loop)
{
	struct procs *procs = xcalloc(1, sizeof *procs);
	procs->port = (struct proc_port){ .ctx = procs, .start = proc_start, .cancel = proc_cancel };
	procs->base = loop_base(loop);
	procs->soon = event_or_abort(procs->base, -1, 0, on_soon, procs);
	TAILQ_INIT(&procs->jobs);
	return &procs->port;
}

void proc_port_free(struct proc_port *port)
{
	if (port == NULL)
		return;
	struct procs *procs = CONTAINER_OF(port, struct procs, port);
	struct job *next = NULL;
	for (struct job *job = TAILQ_FIRST(&procs->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->phase != PHASE_WAITING) {
			siginfo_t info;
			job_abandon(job);
			/* A killed process may sit in the kernel for a while; init inherits it then. */
			(void)poll(&(struct pollfd){ .fd = job->pidfd, .events = POLLIN }, 1, FAREWELL_MS);
			reap(job, &info);
		}
		job_free(job);
	}
	event_drop(&procs->soon);
	free(procs);
}
