/* Which keys the configuration has: one row a key. Reading, freeing, suggestions and the tests of the manual all go by
 * this table. */
#ifndef MAH_CONF_SCHEMA_H
#define MAH_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* id, how people are told where it is, the type of the check whose params it holds ("" another section) */
#define SECTIONS(X)                                                                                                    \
	X(SECTION_TOP, "the top level", "")                                                                            \
	X(SECTION_KUBERNETES, "kubernetes", "")                                                                        \
	X(SECTION_HEALTHCHECK, "healthcheck", "")                                                                      \
	X(SECTION_CHECK, "a check of healthcheck", "")                                                                 \
	X(SECTION_CONDITION, "the params of a NodeCondition check", "NodeCondition")                                   \
	X(SECTION_ENDPOINT, "the params of an Endpoint check", "Endpoint")                                             \
	X(SECTION_KUBELET, "the params of a Kubelet check", "Kubelet")                                                 \
	X(SECTION_NODE_LEASE, "the params of a NodeLease check", "NodeLease")                                          \
	X(SECTION_CLOUD_SERVER, "the params of a CloudServer check", "CloudServer")                                    \
	X(SECTION_NEVER_JOINED, "the params of a NeverJoined check", "NeverJoined")                                    \
	X(SECTION_OPENSTACK, "openstack", "")                                                                          \
	X(SECTION_POLICY, "policy", "")

#define AS_SECTION(id, ...) id,
enum section { SECTIONS(AS_SECTION) };
#define SECTIONS_COUNT 12
const char *section_name(enum section);
const char *section_check_type(enum section); /* "" when it does not hold the params of a check */
/* Where the params of a check of this type (canonical spelling) are; false: there is no such type. */
bool section_of_check(const char *type, enum section *out);

/* What the value of a key may be. The target's C type is named beside it. */
enum value_kind {
	VALUE_TEXT,     /* char *: one line */
	VALUE_SECRET,   /* char *: the same, never shown in a message */
	VALUE_URL,      /* char *: http:// or https:// */
	VALUE_HOST,     /* char *: a name as in a certificate */
	VALUE_CHOICE,   /* char *: one of `choices`, in their spelling */
	VALUE_PLACE,    /* enum of int's size: index of one of `choices` */
	VALUE_TYPE,     /* conf_check.type: one of `choices`; read ahead of the other keys of the check */
	VALUE_BOOL,     /* bool */
	VALUE_INT,      /* int, min..max */
	VALUE_DURATION, /* int64_t ms, min..max */
	VALUE_LIMIT,    /* struct limit; the number is min..max, a percentage 1..100 */
	VALUE_NEEDS,    /* int: any (1), all (NEEDS_ALL), or min..max */
	VALUE_LABELS,   /* char ** + count: condition types */
	VALUE_STATUSES, /* char ** + count: True, False, Unknown */
	VALUE_STATES,   /* char ** + count: some of `choices`, in their spelling */
	VALUE_PATHS,    /* char ** + count: each begins with a slash */
	VALUE_CODES,    /* int * + count, each min..max */
	VALUE_LADDER,  /* struct ladder: some of `choices`, ever stronger, each with a time limit of min..max or none */
	VALUE_CHECKS,  /* list of checks; `at` is the role */
	VALUE_PARAMS,  /* parameters of a check; which, its type says */
	VALUE_SECTION, /* a mapping: `inner` */
};

struct schema_key {
	enum section section;
	enum value_kind kind;
	const char *name;    /* kebab-case */
	const char *initial; /* the default, as it would be written; "" none */
	const char *help;    /* one clause */
	size_t at;           /* offset in struct config; for parameters of checks, in struct conf_check */
	size_t count_at;     /* lists: offset of the size_t */
	int64_t min, max;
	bool is_zero_none;   /* numbers, durations, limits: 0 stands for none, whatever min is */
	const char *choices; /* words with one space between */
	enum section inner;
};

#define SCHEMA_KEYS_MAX 128 /* indexes a set of seen keys */
size_t schema_keys_count(void);
const struct schema_key *schema_keys(void);

/* Spelling does not matter: dashes, underscores and the letters' case are ignored. NULL: there is no such key. */
const struct schema_key *schema_find(enum section, const char *key);
/* The same name in another section; NULL: nowhere. */
const struct schema_key *schema_elsewhere(enum section, const char *key);

#define NORMAL_BYTES 40 /* longer than any key by far */
/* "monitorInterval" → "monitorinterval". What does not fit is cut: then it equals no key. */
void schema_normal(const char *key, char out[NORMAL_BYTES]);
bool schema_same(const char *a, const char *b);

/* How many slips of the pen (a letter too many, missing, wrong, two letters swapped) make one of the other. */
unsigned schema_distance(const char *one, const char *other);
#define DISTANCE_FAR 99u

/* Appends `"monitor-interval"`, or several equally near ones with "or" between; false: nothing is near. */
bool schema_near_key(enum section, const char *key, struct buf *out);
/* The same for one of `choices`. */
bool schema_near_choice(const char *choices, const char *word, struct buf *out);
/* The choice that is spelt so, whatever its case and dashes: its index, and its own spelling; -1: none. */
int schema_choice(const char *choices, const char *word, char out[NORMAL_BYTES]);

#endif
