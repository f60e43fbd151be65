#include "conf/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct conf_problem *problem_new(struct conf_problems *problems, unsigned line, unsigned column, bool is_warning)
{
	problems->errors_count += !is_warning;
	if (problems->count == CONF_PROBLEMS_MAX)
		return NULL;
	if (problems->count % 16 == 0)
		problems->list = xrealloc(problems->list, (problems->count + 16) * sizeof problems->list[0]);
	struct conf_problem *p = &problems->list[problems->count++];
	*p = (struct conf_problem){ .line = line, .column = column, .is_warning = is_warning };
	return p;
}

static void problem_fill(struct conf_problem *p, const char *fmt, va_list ap)
{
	if (p != NULL)
		(void)vsnprintf(p->text, sizeof p->text, fmt, ap); /* a cut sentence is still a sentence */
}

bool problem(struct conf_problems *problems, const struct ynode *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	problem_fill(problem_new(problems, at->line, at->column, false), fmt, ap);
	va_end(ap);
	return false;
}

bool problem_at(struct conf_problems *problems, unsigned line, unsigned column, const char *text)
{
	struct conf_problem *p = problem_new(problems, line, column, false);
	if (p != NULL)
		(void)snprintf(p->text, sizeof p->text, "%s", text);
	return false;
}

void problem_warn(struct conf_problems *problems, const struct ynode *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	problem_fill(problem_new(problems, at->line, at->column, true), fmt, ap);
	va_end(ap);
}

static int by_place(const void *left, const void *right)
{
	const struct conf_problem *a = left;
	const struct conf_problem *b = right;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return strcmp(a->text, b->text);
}

void problems_sort(struct conf_problems *problems)
{
	if (problems->count > 1)
		qsort(problems->list, problems->count, sizeof problems->list[0], by_place);
}

void conf_problems_done(struct conf_problems *problems)
{
	free(problems->list);
	*problems = (struct conf_problems){ 0 };
}

void conf_problem_print(const struct conf_problem *p, const char *path, struct buf *out)
{
	/* What does not fit marks the buffer; its owner looks. */
	(void)buf_text(out, path);
	if (p->line > 0)
		(void)buf_printf(out, ":%u:%u", p->line, p->column);
	(void)buf_printf(out, ": %s%s\n", p->is_warning ? "warning: " : "", p->text);
}

const char *shown(const char *text, char out[SHOWN_BYTES])
{
	size_t length = strlen(text);
	size_t n = length < SHOWN_BYTES ? length : SHOWN_BYTES - 4;
	while (n < length && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a character */
	for (size_t i = 0; i < n; i++)
		out[i] = (char)((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i]);
	memcpy(out + n, n < length ? "..." : "", n < length ? 4 : 1);
	return out;
}
