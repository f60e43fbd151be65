#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

bool fail(struct err *err, enum err_code code, const char *fmt, ...)
{
	if (err == NULL)
		return false;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof err->text, fmt, ap); /* a cut sentence is still a sentence */
	va_end(ap);
	err->code = code;
	return false;
}

bool err_while(struct err *err, const char *fmt, ...)
{
	if (err == NULL)
		return false;
	struct err inner = *err;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof err->text)
		(void)snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", inner.text);
	return false;
}

const char *err_code_name(enum err_code code)
{
	switch (code) {
#define AS_CASE(id, name)                                                                                              \
	case id:                                                                                                       \
		return name;
		ERR_CODES(AS_CASE)
#undef AS_CASE
	}
	return "?";
}
