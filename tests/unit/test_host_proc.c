/* src/host/proc.c with real programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* ours, of base/err.h, is meant */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/loop.h"

#define JOBS_MAX 256
#define DEADLINE_MS 20000

struct heard {
	int dones, exit_code;
	struct err why;
	struct buf out, errors;
};

struct bench {
	struct loop *loop;
	struct proc_port *port;
	struct event *alarm;
	bool is_late;
	struct heard heard[JOBS_MAX];
	void (*on_done)(struct bench *, uint64_t id);
};

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	((struct bench *)arg)->is_late = true;
}

static int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof *b);
	struct err err = { 0 };
	b->loop = loop_new(&err);
	assert_non_null(b->loop);
	b->port = proc_port_new(b->loop);
	b->alarm = event_or_abort(loop_base(b->loop), -1, 0, on_alarm, b);
	for (size_t i = 0; i < JOBS_MAX; i++) {
		buf_init(&b->heard[i].out, 1 << 20);
		buf_init(&b->heard[i].errors, 1 << 20);
	}
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	proc_port_free(b->port);
	event_drop(&b->alarm);
	loop_free(b->loop);
	for (size_t i = 0; i < JOBS_MAX; i++) {
		buf_done(&b->heard[i].out);
		buf_done(&b->heard[i].errors);
	}
	free(b);
	/* Everybody was reaped. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return 0;
}

static void on_done(void *sink, uint64_t id, const struct proc_answer *answer)
{
	struct bench *b = sink;
	struct heard *h = &b->heard[id];
	h->dones++;
	h->exit_code = answer->exit_code;
	h->why = answer->why;
	assert_true(buf_add(&h->out, answer->out.p, answer->out.n));
	assert_true(buf_add(&h->errors, answer->errors.p, answer->errors.n));
	if (b->on_done != NULL)
		b->on_done(b, id);
}

static void start(struct bench *b, uint64_t id, const char *const *argv, struct proc_request request)
{
	request.argv = argv;
	request.timeout_ms = request.timeout_ms != 0 ? request.timeout_ms : 15000;
	request.output_bytes_max = request.output_bytes_max != 0 ? request.output_bytes_max : 100000;
	b->port->start(b->port->ctx, id, &request, on_done, b);
	assert_int_equal(b->heard[id].dones, 0); /* never from inside start() */
}

static void start_shell(struct bench *b, uint64_t id, const char *script, struct proc_request request)
{
	start(b, id, (const char *const[]){ "sh", "-c", script, NULL }, request);
}

static void pass(struct bench *b)
{
	assert_false(b->is_late);
	assert_true(event_base_loop(loop_base(b->loop), EVLOOP_ONCE) >= 0);
}

static struct heard *wait_for(struct bench *b, uint64_t id)
{
	b->is_late = false;
	timer_arm(b->alarm, DEADLINE_MS);
	while (b->heard[id].dones == 0)
		pass(b);
	assert_int_equal(b->heard[id].dones, 1);
	return &b->heard[id];
}

static void test_outcomes(void **state)
{
	static const struct {
		const char *script;
		int exit_code;
		enum err_code code;
		const char *out, *errors;
	} cases[] = {
		{ "echo hello; echo oops >&2", 0, ERR_NONE, "hello\n", "oops\n" },
		{ "exit 7", 7, ERR_NONE, "", "" },
		{ "cat; echo .", 0, ERR_NONE, ".\n", "" },
		{ "echo x; kill -9 $$", -1, ERR_REMOTE, "x\n", "" },
		{ "exec >&- 2>&-; exit 3", 3, ERR_NONE, "", "" },                  /* pipes end before the program */
		{ "(read x; echo late) <&- & exit 4", 4, ERR_NONE, "late\n", "" }, /* program ends before the pipes */
		{ "kill -PIPE $$; echo survived", -1, ERR_REMOTE, "", "" },        /* SIGPIPE is as usual */
		{ "head -c 9000 /dev/zero | tr '\\0' e >&2", 0, ERR_NONE, "", NULL }, /* 4 KiB of it are kept */
		{ "ls /proc/self/fd | wc -l", 0, ERR_NONE, "4\n", "" }, /* 0, 1, 2 and that of ls itself */
	};
	struct bench *b = *state;
	for (size_t i = 0; i < COUNT(cases); i++)
		start_shell(b, i, cases[i].script, (struct proc_request){ 0 });
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct heard *h = wait_for(b, i);
		print_message("# %s: %s\n", cases[i].script, h->why.text);
		assert_int_equal(h->exit_code, cases[i].exit_code);
		assert_int_equal(h->why.code, cases[i].code);
		assert_string_equal(buf_cstr(&h->out), cases[i].out);
		if (cases[i].errors != NULL)
			assert_string_equal(buf_cstr(&h->errors), cases[i].errors);
		else
			assert_int_equal(h->errors.n, 4096);
	}
}

static void test_input_environment_directory(void **state)
{
	struct bench *b = *state;
	static char input[300000]; /* more than a pipe holds, and with bytes of all kinds */
	for (size_t i = 0; i < sizeof input; i++)
		input[i] = (char)i;
	start(b, 1, (const char *const[]){ "/bin/cat", NULL },
	      (struct proc_request){ .input = { input, sizeof input }, .output_bytes_max = sizeof input });
	struct heard *h = wait_for(b, 1);
	assert_int_equal(h->exit_code, 0);
	assert_int_equal(h->out.n, sizeof input);
	assert_memory_equal(h->out.p, input, sizeof input);

	assert_int_equal(setenv("MAH_ONE", "old", 1), 0);
	assert_int_equal(setenv("MAH_TWO", "kept", 1), 0);
	start_shell(b, 2, "echo $MAH_ONE $MAH_TWO $MAH_THREE; pwd",
		    (struct proc_request){ .env = (const char *const[]){ "MAH_ONE=new", "MAH_THREE=added", NULL },
					   .dir = "/usr" });
	assert_string_equal(buf_cstr(&wait_for(b, 2)->out), "new kept added\n/usr\n");

	/* It need not read what it is given. */
	start_shell(b, 3, "exit 5", (struct proc_request){ .input = { input, sizeof input } });
	assert_int_equal(wait_for(b, 3)->exit_code, 5);
}

static void test_cannot_start(void **state)
{
	static const struct {
		const char *program, *dir;
	} cases[] = {
		{ "no-such-program-here", NULL }, { "/no/such/program", NULL },
		{ "/etc/passwd", NULL },          { "/", NULL },
		{ "true", "/no/such/directory" }, { "", NULL },
	};
	struct bench *b = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start(b, i, (const char *const[]){ cases[i].program, NULL },
		      (struct proc_request){ .dir = cases[i].dir });
		struct heard *h = wait_for(b, i);
		print_message("# %s\n", h->why.text);
		assert_int_equal(h->exit_code, -1);
		assert_int_equal(h->why.code, ERR_INPUT);
	}
}

static void test_limits(void **state)
{
	static const struct {
		const char *script;
		int64_t timeout_ms;
		enum err_code code;
		size_t out_n;
	} cases[] = {
		{ "cat /dev/zero", 15000, ERR_LIMIT, 0 },
		{ "echo begun; exec sleep 1000", 800, ERR_TIMEOUT, 6 },
		{ "trap '' TERM INT HUP; echo begun; while :; do sleep 1; done", 800, ERR_TIMEOUT, 6 },
		{ "echo begun; sleep 1000 & exit 0", 800, ERR_TIMEOUT, 6 }, /* the grandchild has our pipe */
	};
	struct bench *b = *state;
	for (size_t i = 0; i < COUNT(cases); i++)
		start_shell(b, i, cases[i].script, (struct proc_request){ .timeout_ms = cases[i].timeout_ms });
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct heard *h = wait_for(b, i);
		print_message("# %s: %s\n", cases[i].script, h->why.text);
		assert_int_equal(h->exit_code, -1);
		assert_int_equal(h->why.code, cases[i].code);
		if (cases[i].out_n > 0)
			assert_int_equal(h->out.n, cases[i].out_n);
		else
			assert_true(h->out.n <= 100000);
	}
	start_shell(b, 10, "printf 12345", (struct proc_request){ .output_bytes_max = 5 });
	assert_int_equal(wait_for(b, 10)->exit_code, 0);
	start_shell(b, 11, "printf 123456", (struct proc_request){ .output_bytes_max = 5 });
	assert_int_equal(wait_for(b, 11)->why.code, ERR_LIMIT);
}

/* Is everybody of a group gone, or only waits to be reaped by its new parent? */
static void test_whole_group_dies(void **state)
{
	struct bench *b = *state;
	int fds[2];
	char word[64];
	char script[128];
	assert_int_equal(pipe(fds), 0);
	/* The grandchildren hold a FIFO-like end of ours through /proc; its end shows that all of them are gone. */
	(void)snprintf(script, sizeof script, "exec 9>/proc/%d/fd/%d; sleep 1000 & sleep 1000 & echo up; wait",
		       (int)getpid(), fds[1]);
	start_shell(b, 1, script, (struct proc_request){ .timeout_ms = 800 });
	assert_int_equal(wait_for(b, 1)->why.code, ERR_TIMEOUT);
	assert_string_equal(buf_cstr(&b->heard[1].out), "up\n");
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], word, sizeof word), 0); /* the test's own time limit guards this */
	(void)close(fds[0]);
}

static void cancel_others(struct bench *b, uint64_t id)
{
	if (id != 1)
		return;
	b->port->cancel(b->port->ctx, 1); /* itself: nothing happens */
	b->port->cancel(b->port->ctx, 2);
	start_shell(b, 3, "echo again", (struct proc_request){ 0 });
}

static void test_cancel(void **state)
{
	struct bench *b = *state;
	b->port->cancel(b->port->ctx, 99);
	start_shell(b, 4, "echo never", (struct proc_request){ 0 });
	b->port->cancel(b->port->ctx, 4); /* before it began */
	b->on_done = cancel_others;
	start_shell(b, 2, "sleep 1000", (struct proc_request){ 0 });
	start_shell(b, 1, "exit 0", (struct proc_request){ 0 });
	assert_string_equal(buf_cstr(&wait_for(b, 3)->out), "again\n");
	assert_int_equal(b->heard[1].dones, 1);
	assert_int_equal(b->heard[2].dones, 0);
	assert_int_equal(b->heard[4].dones, 0);
}

static void test_too_many(void **state)
{
	struct bench *b = *state;
	int busy = 0;
	for (uint64_t id = 0; id < 140; id++)
		start(b, id, (const char *const[]){ "true", NULL }, (struct proc_request){ 0 });
	for (uint64_t id = 0; id < 140; id++)
		busy += wait_for(b, id)->why.code == ERR_BUSY;
	assert_int_equal(busy, 12);
}

static void test_free_while_running(void **state)
{
	struct bench *b = *state;
	start_shell(b, 1, "sleep 1000 & sleep 1000", (struct proc_request){ 0 });
	start_shell(b, 2, "exit 0", (struct proc_request){ 0 });
	(void)wait_for(b, 2);
	start_shell(b, 3, "exit 0", (struct proc_request){ 0 });
	/* teardown frees the port and looks for survivors */
}

int main(void)
{
	int pidfd = pidfd_open(getpid(), 0);
	if (pidfd < 0) { /* valgrind 3.19 does not know it */
		(void)printf("1..0 # SKIP no pidfd_open\n");
		return 0;
	}
	(void)close(pidfd);
#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_BENCH(test_outcomes),         WITH_BENCH(test_input_environment_directory),
		WITH_BENCH(test_cannot_start),     WITH_BENCH(test_limits),
		WITH_BENCH(test_whole_group_dies), WITH_BENCH(test_cancel),
		WITH_BENCH(test_too_many),         WITH_BENCH(test_free_while_running),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
