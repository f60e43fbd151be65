/* src/host/loop.c, clock.c, files.c and identity.c. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "host/loop.h"

/* ---- turns ---- */

struct turns {
	struct loop *loop;
	int count;
	int stop_at;
	int64_t at_ms[16];   /* when each turn ran */
	int64_t dues_ms[16]; /* how long after it the next is due; 0: NEVER */
	struct event *event;
	int fired;
	bool is_urgent;
};

static int64_t turn(void *ctx)
{
	struct turns *t = ctx;
	t->at_ms[t->count] = clock_now().mono.ms;
	int64_t due = t->dues_ms[t->count];
	if (++t->count == t->stop_at)
		loop_stop(t->loop);
	return due == 0 ? NEVER : t->at_ms[t->count - 1] + due;
}

static void fire(evutil_socket_t fd, short what, void *arg)
{
	struct turns *t = arg;
	int before = t->count;
	(void)fd;
	(void)what;
	t->fired++;
	if (t->is_urgent)
		loop_urgent(t->loop);
	else
		loop_wake(t->loop);
	assert_int_equal(t->count, before); /* no turn inside of a callback */
	if (t->fired < 3)
		timer_arm(t->event, 10);
}

static void with_loop(struct turns *t)
{
	struct err err = { 0 };
	t->loop = loop_new(&err);
	assert_non_null(t->loop);
	t->event = event_or_abort(loop_base(t->loop), -1, 0, fire, t);
}

static void without_loop(struct turns *t)
{
	event_drop(&t->event);
	loop_free(t->loop);
}

static void test_first_turn_and_due(void **state)
{
	struct turns t = { .stop_at = 3, .dues_ms = { 20, 30 } };
	(void)state;
	with_loop(&t);
	loop_run(t.loop, turn, &t, 1000);
	assert_int_equal(t.count, 3);
	assert_true(t.at_ms[1] - t.at_ms[0] >= 20);
	assert_true(t.at_ms[2] - t.at_ms[1] >= 30);
	without_loop(&t);
}

static void test_wakes_share_a_turn(void **state)
{
	struct turns t = { .stop_at = 2 };
	(void)state;
	with_loop(&t);
	timer_arm(t.event, 10); /* three events, 10 ms apart, within a window of 100 */
	loop_run(t.loop, turn, &t, 100);
	assert_int_equal(t.fired, 3);
	assert_int_equal(t.count, 2);
	assert_true(t.at_ms[1] - t.at_ms[0] >= 100);
	without_loop(&t);
}

static void test_urgent_does_not_wait(void **state)
{
	struct turns t = { .stop_at = 4, .is_urgent = true };
	(void)state;
	with_loop(&t);
	timer_arm(t.event, 10);
	loop_run(t.loop, turn, &t, HOUR);
	assert_int_equal(t.fired, 3);
	assert_int_equal(t.count, 4);
	without_loop(&t);
}

static void test_due_beats_the_window(void **state)
{
	struct turns t = { .stop_at = 2, .dues_ms = { 60 } };
	(void)state;
	with_loop(&t);
	timer_arm(t.event, 10);
	loop_run(t.loop, turn, &t, HOUR);
	assert_int_equal(t.count, 2);
	without_loop(&t);
}

static int64_t always_due(void *ctx)
{
	struct turns *t = ctx;
	if (t->fired > 0)
		loop_stop(t->loop);
	return 0;
}

static void test_turns_do_not_starve_events(void **state)
{
	struct turns t = { .stop_at = 1000 };
	(void)state;
	with_loop(&t);
	timer_arm(t.event, 20);
	loop_run(t.loop, always_due, &t, 0);
	assert_true(t.fired > 0);
	without_loop(&t);
}

/* ---- signals and watches ---- */

struct seen {
	struct loop *loop;
	int stops, reloads, readable;
	int fds[2];
};

static void on_stop(void *ctx)
{
	struct seen *s = ctx;
	s->stops++;
	loop_stop(s->loop);
}

static void on_reload(void *ctx)
{
	struct seen *s = ctx;
	s->reloads++;
	(void)kill(getpid(), SIGTERM);
}

static void on_readable(void *ctx)
{
	struct seen *s = ctx;
	char byte;
	s->readable++;
	assert_int_equal(read(s->fds[0], &byte, 1), 1);
	loop_wake(s->loop);
}

static int64_t quiet(void *ctx)
{
	struct seen *s = ctx;
	if (s->readable > 0 && s->reloads == 0)
		(void)kill(getpid(), SIGHUP);
	return NEVER;
}

static void test_signals_and_watches(void **state)
{
	struct err err = { 0 };
	struct seen s = { .loop = loop_new(&err) };
	(void)state;
	assert_int_equal(pipe2(s.fds, O_CLOEXEC), 0);
	struct watch *watch = loop_watch(s.loop, s.fds[0], on_readable, &s);
	loop_signals(s.loop, on_stop, on_reload, &s);
	assert_int_equal(write(s.fds[1], "x", 1), 1);
	loop_run(s.loop, quiet, &s, 0);
	assert_int_equal(s.readable, 1);
	assert_int_equal(s.reloads, 1);
	assert_int_equal(s.stops, 1);
	watch_free(watch);
	watch_free(NULL);
	(void)close(s.fds[0]);
	/* SIGPIPE is ignored: writing to nobody is an error and not the end. */
	assert_int_equal(write(s.fds[1], "x", 1), -1);
	(void)close(s.fds[1]);
	loop_free(s.loop);
	loop_free(NULL);
}

/* ---- clock, identity, files ---- */

static void test_clock(void **state)
{
	(void)state;
	struct now a = clock_now();
	struct now b = clock_now();
	assert_true(a.mono.ms > 0);
	assert_true(b.mono.ms >= a.mono.ms);
	assert_true(a.wall.ms > INT64_C(1700000000000)); /* this is written later than 2023 */
}

static void test_identity(void **state)
{
	char a[128];
	char b[128];
	char small[40];
	char host[65] = "";
	(void)state;
	host_identity(a, sizeof a);
	host_identity(b, sizeof b);
	assert_int_equal(gethostname(host, sizeof host - 1), 0);
	assert_true(text_starts(a, host));
	assert_string_not_equal(a, b);
	const char *uuid = strrchr(a, '_') + 1;
	assert_int_equal(strlen(uuid), 36);
	assert_int_equal(uuid[14], '4');
	assert_non_null(strchr("89ab", uuid[19]));
	host_identity(small, sizeof small); /* the host is cut, the unique part is not */
	assert_int_equal(strlen(strrchr(small, '_') + 1), 36);
	assert_true(host_seed() != host_seed());
}

static bool read_file(const char *path, size_t bytes_max, struct buf *out, struct err *err)
{
	const struct file_port *files = file_port_real();
	buf_init(out, bytes_max);
	return files->read(files->ctx, path, out, err);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/mah-test-XXXXXX";
	char path[64];
	char fifo[64];
	struct buf out;
	struct err err = { 0 };
	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/file", dir);
	(void)snprintf(fifo, sizeof fifo, "%s/fifo", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	for (int i = 0; i < 40000; i++)
		assert_int_equal(fputc('a' + i % 26, f), 'a' + i % 26);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_true(read_file(path, 40000, &out, &err));
	assert_int_equal(out.n, 40000);
	assert_int_equal(out.p[39999], 'a' + 39999 % 26);
	buf_done(&out);
	const struct {
		const char *path;
		size_t bytes_max;
		enum err_code code;
	} cases[] = {
		{ path, 39999, ERR_LIMIT },
		{ fifo, 100, ERR_INPUT },
		{ dir, 100, ERR_INPUT },
		{ "/dev/zero", 100, ERR_INPUT },
		{ "/does/not/exist", 100, ERR_GONE },
		{ "", 100, ERR_GONE },
		{ "/etc/passwd/x", 1, ERR_GONE },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("# %s\n", cases[i].path);
		assert_false(read_file(cases[i].path, cases[i].bytes_max, &out, &err));
		assert_int_equal(err.code, cases[i].code);
		buf_done(&out);
	}
	assert_true(read_file("/proc/self/status", 100000, &out, &err)); /* says it has no bytes, and has */
	assert_true(out.n > 0);
	buf_done(&out);
	assert_int_equal(unlink(path) + unlink(fifo) + rmdir(dir), 0);
	const struct file_port *files = file_port_real();
	assert_int_equal(setenv("MAH_TEST", "x y", 1), 0);
	assert_string_equal(files->env(files->ctx, "MAH_TEST"), "x y");
	assert_int_equal(unsetenv("MAH_TEST"), 0);
	assert_null(files->env(files->ctx, "MAH_TEST"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_turn_and_due),
		cmocka_unit_test(test_wakes_share_a_turn),
		cmocka_unit_test(test_urgent_does_not_wait),
		cmocka_unit_test(test_due_beats_the_window),
		cmocka_unit_test(test_turns_do_not_starve_events),
		cmocka_unit_test(test_signals_and_watches),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
