/* src/host/log.c: the form of lines, their limits, and the suppression of repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail /* ours, of base/err.h, is meant */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "host/logline.h"

#define PREFIX "time=2023-11-14T22:13:20.000000Z level=info component=op "

static int64_t clock_ms;

static struct now test_clock(void)
{
	return (struct now){ .mono = { 1000 + clock_ms }, .wall = { INT64_C(1700000000000) + clock_ms } };
}

struct paper {
	int fds[2];
	struct log_port *log;
	char text[65536];
};

static void paper_open(struct paper *p, bool is_json, enum log_level most)
{
	clock_ms = 0;
	assert_int_equal(pipe2(p->fds, O_CLOEXEC | O_NONBLOCK), 0);
	p->log = log_port_new_clocked(p->fds[1], is_json, most, test_clock);
}

/* What was written since the last call. */
static const char *paper_read(struct paper *p)
{
	ssize_t n = read(p->fds[0], p->text, sizeof p->text - 1);
	p->text[n > 0 ? n : 0] = '\0';
	return p->text;
}

static void paper_close(struct paper *p)
{
	log_port_free(p->log);
	(void)close(p->fds[0]);
	(void)close(p->fds[1]);
}

static void test_logfmt(void **state)
{
	static const struct {
		const char *value, *wanted;
	} cases[] = {
		{ "plain", "k=plain" },
		{ "10.0.0.1:6443/a?b", "k=10.0.0.1:6443/a?b" },
		{ "", "k=\"\"" },
		{ "two words", "k=\"two words\"" },
		{ "a=b", "k=\"a=b\"" },
		{ "say \"x\"", "k=\"say \\\"x\\\"\"" },
		{ "back\\slash", "k=\"back\\\\slash\"" },
		{ "line\nbreak\ttab", "k=\"line\\u000abreak\\u0009tab\"" },
		{ "gr\xc3\xbc\xc3\x9f", "k=\"gr\xc3\xbc\xc3\x9f\"" },
		{ "bad\xff\xfe", "k=\"bad\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "over\xc0\xaf", "k=\"over\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	struct paper p;
	(void)state;
	paper_open(&p, false, LOG_INFO);
	for (size_t i = 0; i < COUNT(cases); i++) {
		char wanted[256];
		LOG(p.log, LOG_INFO, "op", "step done", { "k", cases[i].value }, { "gone", NULL });
		(void)snprintf(wanted, sizeof wanted, PREFIX "msg=\"step done\" %s\n", cases[i].wanted);
		assert_string_equal(paper_read(&p), wanted);
	}
	LOG(p.log, LOG_INFO, "op", "done", { "a b=", "1" }, { "level", "2" });
	assert_string_equal(paper_read(&p), PREFIX "msg=done a_b_=1 level_=2\n");
	paper_close(&p);
	log_port_free(NULL);
}

static void test_levels(void **state)
{
	struct paper p;
	(void)state;
	paper_open(&p, false, LOG_WARN);
	LOG(p.log, LOG_DEBUG, "a", "b", { NULL, NULL });
	LOG(p.log, LOG_INFO, "a", "b", { NULL, NULL });
	assert_string_equal(paper_read(&p), "");
	LOG(p.log, LOG_WARN, "a", "b", { NULL, NULL });
	assert_non_null(strstr(paper_read(&p), " level=warn component=a msg=b\n"));
	LOG(p.log, LOG_ERROR, "a", "b", { NULL, NULL });
	assert_non_null(strstr(paper_read(&p), " level=error "));
	paper_close(&p);
}

static void test_json(void **state)
{
	struct paper p;
	struct err err = { 0 };
	(void)state;
	paper_open(&p, true, LOG_DEBUG);
	LOG(p.log, LOG_DEBUG, "op", "say \"hi\"\n",
	    { "node", "a\xff"
		      "b" },
	    { "time", "x" });
	const char *text = paper_read(&p);
	assert_int_equal(text[strlen(text) - 1], '\n');
	json_t *json = json_parse(str_of(text), &err);
	assert_non_null(json);
	assert_string_equal(json_text(json, "time"), "2023-11-14T22:13:20.000000Z");
	assert_string_equal(json_text(json, "level"), "debug");
	assert_string_equal(json_text(json, "component"), "op");
	assert_string_equal(json_text(json, "msg"), "say \"hi\"\n");
	assert_string_equal(json_text(json, "node"), "a\xef\xbf\xbd"
						     "b");
	assert_string_equal(json_text(json, "time_"), "x");
	json_decref(json);
	paper_close(&p);
}

/* However much is given, a line has at most 8 KiB, is whole, and says that something is missing. */
static void test_long_lines(void **state)
{
	static char letters[5000];
	static char controls[5000];
	static char umlauts[5001];
	memset(letters, 'x', sizeof letters - 1);
	memset(controls, '\x01', sizeof controls - 1);
	for (size_t i = 0; i < sizeof umlauts - 1; i++)
		umlauts[i] = i % 2 == 0 ? '\xc3' : '\xbc';
	const char *const texts[] = { letters, controls, umlauts, umlauts + 1 };
	struct paper p;
	struct err err = { 0 };
	(void)state;
	paper_open(&p, true, LOG_INFO);
	for (size_t i = 0; i < COUNT(texts); i++) {
		LOG(p.log, LOG_INFO, "op", texts[i], { "a", texts[i] }, { "b", texts[i] }, { "c", texts[i] },
		    { "d", texts[i] }, { "e", texts[i] }, { "f", texts[i] }, { "g", texts[i] }, { "h", texts[i] },
		    { "i", texts[i] });
		const char *text = paper_read(&p);
		assert_in_range(strlen(text), 1000, 8192);
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		json_t *json = json_parse(str_of(text), &err); /* which is strict about UTF-8, too */
		assert_non_null(json);
		assert_true(json_bool(json, "cut", false));
		const char *msg = json_text(json, "msg");
		assert_non_null(msg);
		assert_string_equal(msg + strlen(msg) - 3, "...");
		json_decref(json);
	}
	paper_close(&p);
}

static void test_repeats(void **state)
{
	struct paper p;
	(void)state;
	paper_open(&p, false, LOG_INFO);
	for (int i = 0; i < 5; i++) {
		clock_ms = i * 1000;
		LOG(p.log, LOG_INFO, "op", "same", { "n", "1" });
	}
	assert_string_equal(paper_read(&p), PREFIX "msg=same n=1\n");
	LOG(p.log, LOG_INFO, "op", "same", { "n", "2" }); /* another one: the first is closed */
	assert_string_equal(paper_read(&p),
			    "time=2023-11-14T22:13:24.000000Z level=info component=op msg=same n=1 repeated=4\n"
			    "time=2023-11-14T22:13:24.000000Z level=info component=op msg=same n=2\n");
	clock_ms = 13999;
	LOG(p.log, LOG_INFO, "op", "same", { "n", "2" });
	assert_string_equal(paper_read(&p), "");
	clock_ms = 14000; /* ten seconds after it was last written */
	LOG(p.log, LOG_INFO, "op", "same", { "n", "2" });
	assert_string_equal(paper_read(&p), "time=2023-11-14T22:13:34.000000Z level=info component=op msg=same n=2 "
					    "repeated=2\n");
	LOG(p.log, LOG_INFO, "op", "same", { "n", "2" });
	assert_string_equal(paper_read(&p), "");
	log_port_free(p.log); /* what was held back is not lost */
	p.log = NULL;
	assert_non_null(strstr(paper_read(&p), "n=2 repeated=1\n"));
	paper_close(&p);
}

/* A reader that is gone or does not read must not stop the program. */
static void test_nobody_reads(void **state)
{
	struct paper p;
	char number[16];
	(void)state;
	paper_open(&p, false, LOG_INFO);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(number, sizeof number, "%d", i);
		LOG(p.log, LOG_INFO, "op", "a line of some length to fill the pipe", { "n", number });
	}
	assert_true(text_starts(paper_read(&p), PREFIX));
	paper_close(&p);
	struct log_port *nowhere = log_port_new(-1, true, LOG_INFO);
	LOG(nowhere, LOG_INFO, "op", "x", { NULL, NULL });
	log_port_free(nowhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logfmt),     cmocka_unit_test(test_levels),  cmocka_unit_test(test_json),
		cmocka_unit_test(test_long_lines), cmocka_unit_test(test_repeats), cmocka_unit_test(test_nobody_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
