#include "base/http.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"

struct str http_header(const struct http_answer *answer, const char *name)
{
	size_t name_n = strlen(name);
	const char *at = answer->headers.p != NULL ? answer->headers.p : "";
	const char *end = at + answer->headers.n;
	while (at < end) {
		const char *eol = memchr(at, '\n', (size_t)(end - at));
		if (eol == NULL)
			eol = end;
		if ((size_t)(eol - at) >= name_n + 1 && memcmp(at, name, name_n) == 0 && at[name_n] == ':') {
			const char *value = at + name_n + 1;
			while (value < eol && *value == ' ')
				value++;
			return (struct str){ value, (size_t)(eol - value) };
		}
		at = eol + 1;
	}
	return (struct str){ "", 0 };
}

int64_t http_date_ms(struct str text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char copy[64];
	char month[4];
	int d = 0;
	int y = 0;
	int h = 0;
	int m = 0;
	int s = 0;
	if (!str_copy(copy, sizeof copy, text))
		return -1;
	const char *comma = strchr(copy, ',');
	if (comma == NULL || sscanf(comma + 1, "%2d %3s %4d %2d:%2d:%2d", &d, month, &y, &h, &m, &s) != 6)
		return -1;
	const char *at = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (at == NULL || (at - months) % 3 != 0)
		return -1;
	char iso[64];
	struct wall wall;
	(void)snprintf(iso, sizeof iso, "%04d-%02d-%02dT%02d:%02d:%02dZ", y, (int)((at - months) / 3 + 1), d, h, m, s);
	return wall_parse(str_of(iso), &wall) ? wall.ms : -1;
}

int64_t http_retry_after_ms(const struct http_answer *answer)
{
	struct str value = http_header(answer, "retry-after");
	if (value.n == 0)
		return -1;
	int64_t ms = 0;
	bool is_number = true;
	for (size_t i = 0; i < value.n; i++)
		is_number = is_number && isdigit((unsigned char)value.p[i]);
	if (is_number) {
		for (size_t i = 0; i < value.n && ms < HOUR; i++)
			ms = ms * 10 + (value.p[i] - '0') * SEC;
	} else {
		int64_t at = http_date_ms(value);
		int64_t date = http_date_ms(http_header(answer, "date"));
		if (at < 0 || date < 0)
			return -1;
		ms = at - date;
	}
	return ms < 0 ? 0 : ms > HOUR ? HOUR : ms;
}
