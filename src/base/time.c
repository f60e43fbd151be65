#include "base/time.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool digits(const char **at, const char *end, int count, int *out)
{
	int value = 0;
	for (int i = 0; i < count; i++) {
		if (*at >= end || !isdigit((unsigned char)**at))
			return false;
		value = value * 10 + (**at - '0');
		(*at)++;
	}
	*out = value;
	return true;
}

static bool literal(const char **at, const char *end, char c)
{
	if (*at >= end || toupper((unsigned char)**at) != c)
		return false;
	(*at)++;
	return true;
}

static int64_t fraction_ms(const char **at, const char *end)
{
	int64_t ms = 0;
	int64_t scale = 100;
	while (*at < end && isdigit((unsigned char)**at)) {
		ms += (**at - '0') * scale;
		scale /= 10;
		(*at)++;
	}
	return ms;
}

/* Days since 1970-01-01 of a Gregorian date; no library call, so that no time zone can get in. */
static int64_t days_from_civil(int64_t y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static int days_in_month(int y, int m)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	return days[m - 1] + (m == 2 && is_leap);
}

static bool zone_offset(const char **at, const char *end, int64_t *out_ms)
{
	*out_ms = 0;
	if (*at == end || literal(at, end, 'Z'))
		return true;
	int sign = **at == '+' ? 1 : **at == '-' ? -1 : 0;
	int hours = 0;
	int minutes = 0;
	if (sign == 0)
		return false;
	(*at)++;
	if (!digits(at, end, 2, &hours) || !literal(at, end, ':') || !digits(at, end, 2, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	*out_ms = sign * (hours * HOUR + minutes * MINUTE);
	return true;
}

/* Years 0000 to 9999 in UTC: what is read can be written again. */
#define WALL_MS_MIN INT64_C(-62167219200000)
#define WALL_MS_MAX INT64_C(253402300799999)

bool wall_parse(struct str text, struct wall *out)
{
	const char *at = text.p != NULL ? text.p : "";
	const char *end = at + text.n;
	int y = 0;
	int mo = 0;
	int d = 0;
	int h = 0;
	int mi = 0;
	int s = 0;
	if (!digits(&at, end, 4, &y) || !literal(&at, end, '-') || !digits(&at, end, 2, &mo) ||
	    !literal(&at, end, '-') || !digits(&at, end, 2, &d))
		return false;
	if (at >= end || (*at != 'T' && *at != 't' && *at != ' '))
		return false;
	at++;
	if (!digits(&at, end, 2, &h) || !literal(&at, end, ':') || !digits(&at, end, 2, &mi) ||
	    !literal(&at, end, ':') || !digits(&at, end, 2, &s))
		return false;
	if (mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo) || h > 23 || mi > 59 || s > 60)
		return false;
	int64_t ms = 0;
	if (at < end && *at == '.') {
		at++;
		ms = fraction_ms(&at, end);
	}
	int64_t offset = 0;
	if (!zone_offset(&at, end, &offset) || at != end)
		return false;
	ms += days_from_civil(y, mo, d) * 24 * HOUR + h * HOUR + mi * MINUTE + s * SEC - offset;
	if (ms < WALL_MS_MIN || ms > WALL_MS_MAX)
		return false;
	out->ms = ms;
	return true;
}

static struct tm civil(struct wall wall, int64_t *out_ms)
{
	int64_t seconds = wall.ms / 1000;
	*out_ms = wall.ms % 1000;
	if (*out_ms < 0) {
		*out_ms += 1000;
		seconds--;
	}
	time_t t = (time_t)seconds;
	struct tm tm = { 0 };
	(void)gmtime_r(&t, &tm); /* fails only for years beyond int */
	return tm;
}

/* Not strftime: its %Y writes the year 891 with three digits, and nothing reads that again. */
static size_t put_civil(const struct tm *tm, char out[WALL_TEXT_BYTES])
{
	int n = snprintf(out, WALL_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d", tm->tm_year + 1900, tm->tm_mon + 1,
			 tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec);
	return n > 0 && n < WALL_TEXT_BYTES ? (size_t)n : 0;
}

const char *wall_format(struct wall wall, char out[WALL_TEXT_BYTES])
{
	int64_t ms = 0;
	struct tm tm = civil(wall, &ms);
	size_t n = put_civil(&tm, out);
	(void)snprintf(out + n, WALL_TEXT_BYTES - n, "Z");
	return out;
}

const char *wall_format_micro(struct wall wall, char out[WALL_TEXT_BYTES])
{
	int64_t ms = 0;
	struct tm tm = civil(wall, &ms);
	size_t n = put_civil(&tm, out);
	(void)snprintf(out + n, WALL_TEXT_BYTES - n, ".%03d000Z", (int)ms);
	return out;
}

#define DURATION_MS_MAX (INT64_C(3653) * 24 * HOUR)

static bool duration_unit(const char **at, const char *end, double *out_ms)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = { { "ms", 1 },  { "us", 1e-3 }, { "µs", 1e-3 }, { "ns", 1e-6 },
		      { "s", 1e3 }, { "m", 60e3 },  { "h", 3600e3 } };
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		size_t n = strlen(units[i].name);
		if ((size_t)(end - *at) >= n && memcmp(*at, units[i].name, n) == 0) {
			*at += n;
			*out_ms = units[i].ms;
			return true;
		}
	}
	return false;
}

bool duration_parse(struct str text, int64_t *out_ms)
{
	if (text.n == 0 || text.n > 64)
		return false;
	const char *at = text.p;
	const char *end = text.p + text.n;
	if (str_eq(text, "0")) {
		*out_ms = 0;
		return true;
	}
	double total = 0;
	while (at < end) {
		double value = 0;
		double scale = 0;
		bool any = false;
		for (; at < end && (isdigit((unsigned char)*at) || (*at == '.' && scale == 0)); at++) {
			if (*at == '.') {
				scale = 1;
				continue;
			}
			any = true;
			value = value * 10 + (*at - '0');
			scale *= 10;
		}
		double unit = 0;
		if (!any || !duration_unit(&at, end, &unit))
			return false;
		total += value / (scale > 0 ? scale : 1) * unit;
		if (total > (double)DURATION_MS_MAX)
			return false;
	}
	*out_ms = (int64_t)(total + 0.5);
	return true;
}

const char *duration_format(int64_t ms, char out[DURATION_TEXT_BYTES])
{
	int64_t h = ms / HOUR;
	int64_t m = ms % HOUR / MINUTE;
	int64_t rest = ms % MINUTE;
	size_t n = 0;
	out[0] = '\0';
	if (h != 0)
		n += (size_t)snprintf(out + n, DURATION_TEXT_BYTES - n, "%lldh", (long long)h);
	if (m != 0)
		n += (size_t)snprintf(out + n, DURATION_TEXT_BYTES - n, "%lldm", (long long)m);
	assert(n < DURATION_TEXT_BYTES);
	if (rest % SEC != 0)
		(void)snprintf(out + n, DURATION_TEXT_BYTES - n, "%.3gs", (double)rest / 1000);
	else if (rest != 0 || n == 0)
		(void)snprintf(out + n, DURATION_TEXT_BYTES - n, "%llds", (long long)(rest / SEC));
	return out;
}
