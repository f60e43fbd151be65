#include "conf/value.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "conf/problem.h"

/* What the readers need of their surroundings. */
struct place {
	struct conf_problems *problems;
	const struct schema_key *key;
	void *base;
};

static void *field(const struct place *at, size_t offset)
{
	return (char *)at->base + offset;
}

static void set_text(const struct place *at, const char *text)
{
	char **target = field(at, at->key->at);
	free(*target);
	*target = xstrdup(text);
}

static bool refuse(const struct place *at, const struct ynode *node, const char *what)
{
	char text[SHOWN_BYTES];
	return problem(at->problems, node, "%s: \"%s\" %s", at->key->name, shown(node->text, text), what);
}

/* Is this a text of one line? What the text is may be secret, so it is not shown. */
static bool check_text(const struct place *at, const struct ynode *node)
{
	size_t n = strlen(node->text);
	if (n > CONF_TEXT_BYTES_MAX)
		return problem(at->problems, node, "%s is longer than %d bytes", at->key->name, CONF_TEXT_BYTES_MAX);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)node->text[i] < 0x20 || node->text[i] == 0x7f)
			return problem(at->problems, node, "%s has a line break or another control character in it",
				       at->key->name);
	}
	return true;
}

static bool read_text(const struct place *at, const struct ynode *node)
{
	if (!check_text(at, node))
		return false;
	if (node->text[0] == '\0')
		return at->key->initial[0] == '\0' ? true : problem(at->problems, node, "%s is empty", at->key->name);
	set_text(at, node->text);
	return true;
}

/* It becomes a part of URLs, so that nothing else may hide in it. */
static bool read_host(const struct place *at, const struct ynode *node)
{
	size_t n = strlen(node->text);
	bool is_good = n <= 253 && strspn(node->text, ".-") == 0; /* of DNS: RFC 1035 */
	for (size_t i = 0; i < n && is_good; i++)
		is_good = isalnum((unsigned char)node->text[i]) || strchr("-.", node->text[i]) != NULL;
	if (!is_good)
		return refuse(at, node, "is not a name such as kubernetes.default.svc");
	if (n > 0)
		set_text(at, node->text);
	return true;
}

static bool read_url(const struct place *at, const struct ynode *node)
{
	if (!check_text(at, node))
		return false;
	if (node->text[0] == '\0')
		return true;
	size_t skip = strncasecmp(node->text, "https://", 8) == 0  ? 8
		      : strncasecmp(node->text, "http://", 7) == 0 ? 7
								   : 0;
	const char *rest = node->text + skip;
	size_t host = strcspn(rest, "/?#");
	if (memchr(rest, '@', host) != NULL && skip > 0) /* may be a password: not shown */
		return problem(at->problems, node, "%s has a user in it; write user and password as keys of their own",
			       at->key->name);
	if (skip == 0 || host == 0)
		return refuse(at, node, "is not a URL such as https://keystone.example:5000/v3");
	if (strpbrk(rest, " ?#") != NULL)
		return refuse(at, node, "has a space, \"?\" or \"#\" in it");
	set_text(at, node->text);
	return true;
}

/* Is a choice near to what was written? Then that is the problem, and it is told. */
static bool suggest(const struct place *at, const struct ynode *node)
{
	struct buf near;
	char text[SHOWN_BYTES];
	buf_init(&near, 160);
	bool is_near = schema_near_choice(at->key->choices, node->text, &near);
	if (is_near)
		(void)problem(at->problems, node, "%s: there is no \"%s\"; did you mean %s?", at->key->name,
			      shown(node->text, text), buf_cstr(&near));
	buf_done(&near);
	return is_near;
}

/* The index of the choice, or -1 and a problem. */
static int pick(const struct place *at, const struct ynode *node, char out[NORMAL_BYTES])
{
	char text[SHOWN_BYTES];
	int index = schema_choice(at->key->choices, node->text, out);
	if (index < 0 && !suggest(at, node))
		(void)problem(at->problems, node, "%s: there is no \"%s\"; there is: %s", at->key->name,
			      shown(node->text, text), at->key->choices);
	return index;
}

static bool read_choice(const struct place *at, const struct ynode *node)
{
	char word[NORMAL_BYTES];
	if (node->text[0] == '\0')
		return true;
	if (pick(at, node, word) < 0)
		return false;
	size_t n = strlen(word); /* "publicURL" is the old way to write "public" */
	if (n > 3 && strcmp(word + n - 3, "URL") == 0)
		word[n - 3] = '\0';
	set_text(at, word);
	return true;
}

static bool read_place(const struct place *at, const struct ynode *node)
{
	char word[NORMAL_BYTES];
	int index = pick(at, node, word);
	if (index >= 0)
		memcpy(field(at, at->key->at), &index, sizeof index);
	return index >= 0;
}

static bool read_type(const struct place *at, const struct ynode *node)
{
	struct conf_check *check = at->base;
	char word[NORMAL_BYTES];
	return pick(at, node, word) >= 0 && TEXT_COPY(check->type, word);
}

/* As the reference's decoder does it: a text, quoted or not, and 1 and 0 too. */
static bool read_bool(const struct place *at, const struct ynode *node)
{
	bool value = strcmp(node->text, "1") == 0;
	if (!value && strcmp(node->text, "0") != 0 && !yaml_truth(node->text, &value))
		return refuse(at, node, "is neither true nor false");
	*(bool *)field(at, at->key->at) = value;
	return true;
}

/* Decimal digits only; leading zeros would mean octal to some. */
static bool digits(const char *text, size_t n, int64_t *out_value)
{
	int64_t value = 0;
	if (n == 0 || n > 9 || (n > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (text[i] - '0');
	}
	*out_value = value;
	return true;
}

static const char *or_none(const struct schema_key *key)
{
	return key->is_zero_none ? ", nor 0 (none)" : "";
}

static bool read_number(const struct place *at, const struct ynode *node, int *out_value)
{
	int64_t value = 0;
	char text[SHOWN_BYTES];
	bool is_minus = node->text[0] == '-';
	size_t n = strlen(node->text) - is_minus;
	bool is_long = n > 9 && strspn(node->text + is_minus, "0123456789") == n;
	if (!is_long && !digits(node->text + is_minus, n, &value))
		return refuse(at, node, "is not a whole number");
	bool is_none = at->key->is_zero_none && value == 0;
	if (is_long || is_minus || ((value < at->key->min || value > at->key->max) && !is_none))
		return problem(at->problems, node, "%s: %s is not between %lld and %lld%s", at->key->name,
			       shown(node->text, text), (long long)at->key->min, (long long)at->key->max,
			       or_none(at->key));
	*out_value = (int)value;
	return true;
}

static bool read_int(const struct place *at, const struct ynode *node)
{
	return read_number(at, node, field(at, at->key->at));
}

/* any, all, or how many */
static bool read_needs(const struct place *at, const struct ynode *node)
{
	char word[NORMAL_BYTES];
	int *target = field(at, at->key->at);
	int choice = schema_choice(at->key->choices, node->text, word);
	if (choice < 0 && (isdigit((unsigned char)node->text[0]) || node->text[0] == '-'))
		return read_number(at, node, target);
	if (choice < 0)
		return suggest(at, node) ? false : refuse(at, node, "is neither any nor all nor a number such as 2");
	*target = choice == 0 ? 1 : NEEDS_ALL;
	return true;
}

static bool parse_duration(const struct place *at, const struct ynode *node, int64_t *out_ms)
{
	int64_t ms = 0;
	char text[SHOWN_BYTES];
	char least[DURATION_TEXT_BYTES];
	char most[DURATION_TEXT_BYTES];
	size_t n = strlen(node->text);
	if (n > 0 && strspn(node->text, "0123456789") == n && strcmp(node->text, "0") != 0)
		return problem(at->problems, node, "%s: \"%s\" has no unit; write %ss", at->key->name,
			       shown(node->text, text), text);
	if (node->text[0] == '-')
		return refuse(at, node, "is negative");
	if (!duration_parse(str_of(node->text), &ms))
		return refuse(at, node, "is not a duration such as 90s or 5m");
	bool is_none = at->key->is_zero_none && ms == 0;
	if ((ms < at->key->min || ms > at->key->max) && !is_none)
		return problem(at->problems, node, "%s: %s is not between %s and %s%s", at->key->name,
			       shown(node->text, text), duration_format(at->key->min, least),
			       duration_format(at->key->max, most), or_none(at->key));
	*out_ms = ms;
	return true;
}

static bool read_duration(const struct place *at, const struct ynode *node)
{
	return parse_duration(at, node, field(at, at->key->at));
}

static bool read_limit(const struct place *at, const struct ynode *node)
{
	struct limit limit = { 0 };
	size_t n = strlen(node->text);
	if (n == 0 || node->text[n - 1] != '%') {
		if (!isdigit((unsigned char)node->text[0]) && node->text[0] != '-')
			return refuse(at, node, "is not a number or a percentage such as 3 or 10%");
		if (!read_number(at, node, &limit.value))
			return false;
	} else {
		int64_t percent = 0;
		if (!digits(node->text, n - 1, &percent) || percent < 1 || percent > 100)
			return refuse(at, node, "is not a percentage between 1% and 100%");
		limit = (struct limit){ .value = (int)percent, .is_percent = true };
	}
	*(struct limit *)field(at, at->key->at) = limit;
	return true;
}

static char *read_status(const struct place *at, const struct ynode *node)
{
	for (enum status s = STATUS_FALSE; s <= STATUS_UNKNOWN; s++) {
		if (strcasecmp(node->text, status_name(s)) == 0)
			return xstrdup(status_name(s));
	}
	(void)refuse(at, node, "is no status of a condition; there is: True, False, Unknown");
	return NULL;
}

static char *read_state(const struct place *at, const struct ynode *node)
{
	char word[NORMAL_BYTES];
	return pick(at, node, word) >= 0 ? xstrdup(word) : NULL;
}

static char *read_label(const struct place *at, const struct ynode *node)
{
	const size_t n = strlen(node->text);
	bool is_good = n > 0 && n <= 316; /* Kubernetes' own limit of a condition's type */
	for (size_t i = 0; i < n && is_good; i++)
		is_good = isalnum((unsigned char)node->text[i]) || strchr("-_./", node->text[i]) != NULL;
	if (!is_good)
		(void)refuse(at, node, "is no condition type such as Ready");
	return is_good ? xstrdup(node->text) : NULL;
}

static char *read_path(const struct place *at, const struct ynode *node)
{
	const size_t n = strlen(node->text);
	bool is_good = node->text[0] == '/' && n <= CONF_TEXT_BYTES_MAX;
	for (size_t i = 0; i < n && is_good; i++)
		is_good = (unsigned char)node->text[i] > 0x20 && node->text[i] != 0x7f;
	if (!is_good)
		(void)refuse(at, node, "is no path; it must begin with a slash, as \"/healthz\" does, without spaces");
	return is_good ? xstrdup(node->text) : NULL;
}

/* One item of a list: what is to be kept of it, the caller's to free. NULL: a problem. */
static char *read_item(const struct place *at, const struct ynode *node)
{
	if (at->key->kind == VALUE_STATUSES)
		return read_status(at, node);
	if (at->key->kind == VALUE_STATES)
		return read_state(at, node);
	return at->key->kind == VALUE_LABELS ? read_label(at, node) : read_path(at, node);
}

static bool read_texts(const struct place *at, const struct ynode *const *items, size_t count)
{
	char **texts = xcalloc(count + 1, sizeof texts[0]);
	bool is_good = true;
	for (size_t i = 0; i < count; i++) {
		texts[i] = read_item(at, items[i]);
		is_good = is_good && texts[i] != NULL;
	}
	if (is_good) {
		value_free(at->key, at->base);
		*(char ***)field(at, at->key->at) = steal(texts);
		*(size_t *)field(at, at->key->count_at) = count;
		return true;
	}
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
	return false;
}

static bool read_codes(const struct place *at, const struct ynode *const *items, size_t count)
{
	int *codes = xcalloc(count + 1, sizeof codes[0]);
	bool is_good = true;
	for (size_t i = 0; i < count; i++)
		is_good = read_number(at, items[i], &codes[i]) && is_good;
	if (is_good) {
		value_free(at->key, at->base);
		*(int **)field(at, at->key->at) = steal(codes);
		*(size_t *)field(at, at->key->count_at) = count;
	}
	free(codes);
	return is_good;
}

/* One item of a ladder: "reboot", or "hard-reboot 3m". What is wrong is told of its half. */
static bool read_rung(const struct place *at, const struct ynode *node, struct ladder_rung *out)
{
	char word[NORMAL_BYTES];
	char name[NORMAL_BYTES * 2];
	size_t n = strcspn(node->text, " ");
	char *rung = xstrndup(node->text, n);
	struct ynode half = *node;
	half.text = rung;
	int choice = pick(at, &half, word);
	free(rung);
	if (choice < 0)
		return false;
	*out = (struct ladder_rung){ .rung = (enum rung)(RUNG_START + choice) };
	half.text = node->text + n + strspn(node->text + n, " ");
	if (half.text[0] == '\0')
		return true;
	struct schema_key key = *at->key;
	(void)snprintf(name, sizeof name, "%s: %s", at->key->name, word);
	key.name = name;
	return parse_duration(&(struct place){ at->problems, &key, at->base }, &half, &out->limit_ms);
}

/* A rung after one as strong or stronger would never help where that one did not. */
static bool check_order(const struct place *at, const struct ynode *node, const struct ladder *ladder, size_t i)
{
	enum rung rung = ladder->rungs[i].rung;
	for (size_t j = 0; j < i && rung != RUNG_NONE; j++) {
		if (ladder->rungs[j].rung == rung)
			return refuse(at, node, "is there twice");
		if (ladder->rungs[j].rung > rung)
			return problem(at->problems, node,
				       "%s: \"%s\" comes after \"%s\", which is stronger; the order is: %s",
				       at->key->name, rung_name(rung), rung_name(ladder->rungs[j].rung),
				       at->key->choices);
	}
	return true;
}

static bool read_ladder(const struct place *at, const struct ynode *const *items, size_t count)
{
	struct ladder ladder = { .count = count };
	bool is_good = true;
	for (size_t i = 0; i < count; i++) {
		is_good = read_rung(at, items[i], &ladder.rungs[i]) && is_good;
		is_good = check_order(at, items[i], &ladder, i) && is_good;
	}
	if (is_good)
		*(struct ladder *)field(at, at->key->at) = ladder;
	return is_good;
}

/* A single value stands for a list of one, as in the reference. */
static bool read_list(const struct place *at, const struct ynode *node)
{
	const struct ynode *const *items = node->kind == Y_LIST ? node->items : &node;
	size_t count = node->kind == Y_LIST ? node->count : 1;
	bool is_ladder = at->key->kind == VALUE_LADDER;
	size_t count_max = is_ladder ? RUNGS_PER_LADDER_MAX : CONF_ITEMS_MAX;
	if (count == 0 && at->key->kind != VALUE_STATUSES)
		return problem(at->problems, node, "%s is empty: nothing would be %s", at->key->name,
			       is_ladder ? "done" : "checked");
	if (count > count_max)
		return problem(at->problems, node, "%s has more than %zu items", at->key->name, count_max);
	for (size_t i = 0; i < count; i++) {
		if (items[i]->kind != Y_SCALAR)
			return problem(at->problems, items[i], "%s: an item must be a single value", at->key->name);
	}
	if (is_ladder)
		return read_ladder(at, items, count);
	return at->key->kind == VALUE_CODES ? read_codes(at, items, count) : read_texts(at, items, count);
}

static bool is_list_of_texts(enum value_kind kind)
{
	return kind == VALUE_LABELS || kind == VALUE_STATUSES || kind == VALUE_STATES || kind == VALUE_PATHS;
}

static bool is_list(enum value_kind kind)
{
	return is_list_of_texts(kind) || kind == VALUE_CODES || kind == VALUE_LADDER;
}

static bool is_text(enum value_kind kind)
{
	return kind == VALUE_TEXT || kind == VALUE_SECRET || kind == VALUE_URL || kind == VALUE_HOST ||
	       kind == VALUE_CHOICE;
}

static bool read_scalar(const struct place *at, const struct ynode *node)
{
	switch (at->key->kind) {
	case VALUE_TEXT:
	case VALUE_SECRET:
		return read_text(at, node);
	case VALUE_URL:
		return read_url(at, node);
	case VALUE_HOST:
		return read_host(at, node);
	case VALUE_CHOICE:
		return read_choice(at, node);
	case VALUE_PLACE:
		return read_place(at, node);
	case VALUE_TYPE:
		return read_type(at, node);
	case VALUE_BOOL:
		return read_bool(at, node);
	case VALUE_INT:
		return read_int(at, node);
	case VALUE_DURATION:
		return read_duration(at, node);
	case VALUE_LIMIT:
		return read_limit(at, node);
	case VALUE_NEEDS:
		return read_needs(at, node);
	case VALUE_LABELS:
	case VALUE_STATUSES:
	case VALUE_STATES:
	case VALUE_PATHS:
	case VALUE_CODES:
	case VALUE_LADDER:
		return read_list(at, node);
	case VALUE_CHECKS:
	case VALUE_PARAMS:
	case VALUE_SECTION:
		break;
	}
	assert(false); /* a row without a value of its own */
	return false;
}

bool value_read(struct conf_problems *problems, const struct schema_key *key, const struct ynode *node, void *base)
{
	struct place at = { problems, key, base };
	if (node->kind == Y_NULL)
		return is_text(key->kind) ? true
					  : problem(problems, node,
						    "%s has no value; give it one or leave the line out", key->name);
	if (is_list(key->kind) && node->kind != Y_MAP)
		return read_list(&at, node);
	if (node->kind != Y_SCALAR)
		return problem(problems, node, "%s must be a single value%s", key->name,
			       is_list(key->kind) ? " or a list of them" : "");
	return read_scalar(&at, node);
}

void value_initial(const struct schema_key *key, void *base)
{
	if (key->initial[0] == '\0')
		return;
	struct conf_problems problems = { 0 };
	struct ydoc *doc = yaml_parse(str_of(key->initial), key->name, NULL);
	assert(doc != NULL);
	bool is_good = value_read(&problems, key, yaml_root(doc), base);
	assert(is_good);
	(void)is_good; /* used by the assertion only */
	yaml_free(doc);
	conf_problems_done(&problems);
}

void value_free(const struct schema_key *key, void *base)
{
	struct place at = { NULL, key, base };
	if (is_text(key->kind)) {
		char **text = field(&at, key->at);
		free(*text);
		*text = NULL;
	} else if (key->kind == VALUE_CODES) {
		int **codes = field(&at, key->at);
		free(*codes);
		*codes = NULL;
		*(size_t *)field(&at, key->count_at) = 0;
	} else if (is_list_of_texts(key->kind)) {
		char ***texts = field(&at, key->at);
		size_t *count = field(&at, key->count_at);
		for (size_t i = 0; i < *count; i++)
			free((*texts)[i]);
		free(*texts);
		*texts = NULL;
		*count = 0;
	}
}
