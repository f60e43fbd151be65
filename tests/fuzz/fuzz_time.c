/* Any bytes as a time, a duration, a date, a header block, a JSON document. What is taken can be written, and says the
 * same when it is read again. */
#include "base/time.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/jsonx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void use_wall(struct str text)
{
	struct wall wall = { -7 };
	struct wall again = { 0 };
	char out[WALL_TEXT_BYTES];
	if (!wall_parse(text, &wall)) {
		must(wall.ms == -7);
		return;
	}
	(void)wall_format(wall, out);
	must(wall_parse(str_of(out), &again) && again.ms <= wall.ms && wall.ms - again.ms < SEC);
	must(wall_parse(str_of(wall_format_micro(wall, out)), &again) && again.ms == wall.ms);
}

static void use_duration(struct str text)
{
	int64_t ms = -7;
	int64_t again = 0;
	char out[DURATION_TEXT_BYTES];
	if (!duration_parse(text, &ms)) {
		must(ms == -7);
		return;
	}
	must(ms >= 0 && ms <= INT64_C(3653) * 24 * HOUR);
	must(duration_parse(str_of(duration_format(ms, out)), &again));
	must(ms % SEC != 0 || again == ms);
	must(llabs(again - ms) < SEC);
}

static void use_headers(struct str text)
{
	struct http_answer answer = { .status = 503, .headers = text };
	int64_t ms = http_retry_after_ms(&answer);
	must(ms >= -1 && ms <= HOUR);
	struct str value = http_header(&answer, "date");
	must(value.n <= text.n && (value.n == 0 || memchr(value.p, '\n', value.n) == NULL));
	must(http_date_ms(text) >= -1 || text.n > 0);
}

static void use_json(struct str text)
{
	json_t *json = json_parse(text, NULL);
	if (json == NULL)
		return;
	(void)json_text(json, "a.0.b");
	(void)json_int(json, "a.1", 0);
	struct buf out;
	struct buf again;
	buf_init(&out, (size_t)16 << 20);
	buf_init(&again, (size_t)16 << 20);
	must(buf_json_doc(&out, json));
	json_decref(json);
	json = json_parse(buf_str(&out), NULL);
	must(json != NULL && buf_json_doc(&again, json) && str_same(buf_str(&out), buf_str(&again)));
	json_decref(json);
	buf_done(&out);
	buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	use_wall(text);
	use_duration(text);
	use_headers(text);
	use_json(text);
	return 0;
}
