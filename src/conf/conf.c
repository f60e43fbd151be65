/* Walks the document along the schema, then looks at what no single value can tell. */
#include "conf/conf.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/problem.h"
#include "conf/schema.h"
#include "conf/value.h"
#include "conf/yaml.h"

/* Where each key of the schema was given; by its row's index. */
struct seen {
	const struct ynode *keys[SCHEMA_KEYS_MAX];
	const struct ynode *values[SCHEMA_KEYS_MAX];
	bool is_good[SCHEMA_KEYS_MAX]; /* the value could be used */
};

struct walk {
	struct config *conf;
	struct conf_problems *problems;
	const struct ynode *root;
	struct seen seen; /* all sections that can be there only once */
};

static size_t row_of(enum section section, const char *name)
{
	const struct schema_key *key = schema_find(section, name);
	assert(key != NULL);
	return (size_t)(key - schema_keys());
}

/* The best place to complain about a key: itself, its section, the file. */
static const struct ynode *place_of(const struct walk *walk, enum section section, const char *name)
{
	const struct ynode *key = walk->seen.keys[row_of(section, name)];
	return key != NULL ? key : walk->root;
}

/* Nothing after the colon, or "", is as good as no line at all. */
static bool is_given(const struct ynode *value)
{
	return value != NULL && value->kind != Y_NULL && !(value->kind == Y_SCALAR && value->text[0] == '\0');
}

static void complain_unknown(struct walk *walk, enum section section, const struct ynode *key)
{
	char text[SHOWN_BYTES];
	struct buf near;
	if (walk->problems->count == CONF_PROBLEMS_MAX) { /* looking for suggestions would only take long */
		(void)problem(walk->problems, key, "unknown key");
		return;
	}
	buf_init(&near, 160);
	bool is_near = schema_near_key(section, key->text, &near);
	const struct schema_key *other = schema_elsewhere(section, key->text);
	(void)shown(key->text, text);
	if (is_near && other == NULL)
		(void)problem(walk->problems, key, "unknown key \"%s\" in %s; did you mean %s?", text,
			      section_name(section), buf_cstr(&near));
	else if (is_near)
		(void)problem(walk->problems, key, "unknown key \"%s\" in %s; did you mean %s? (\"%s\" belongs in %s)",
			      text, section_name(section), buf_cstr(&near), other->name, section_name(other->section));
	else if (other != NULL)
		(void)problem(walk->problems, key, "unknown key \"%s\" in %s; \"%s\" belongs in %s", text,
			      section_name(section), other->name, section_name(other->section));
	else
		(void)problem(walk->problems, key, "unknown key \"%s\" in %s", text, section_name(section));
	buf_done(&near);
}

static bool is_first(struct walk *walk, struct seen *seen, size_t row, const struct ynode *key)
{
	char text[SHOWN_BYTES];
	char first[SHOWN_BYTES];
	if (seen->keys[row] == NULL)
		return true;
	(void)shown(key->text, text);
	(void)shown(seen->keys[row]->text, first);
	return problem(walk->problems, key, "duplicate key \"%s\": it was given in line %u as \"%s\"", text,
		       seen->keys[row]->line, first);
}

static void read_checks(struct walk *walk, enum role role, const struct ynode *list);
static void read_section(struct walk *walk, enum section section, const struct ynode *map, void *base,
			 struct seen *seen);

static bool read_member(struct walk *walk, const struct schema_key *key, const struct ynode *value, void *base,
			struct seen *seen)
{
	if (key->kind == VALUE_SECTION)
		read_section(walk, key->inner, value, base, seen);
	else if (key->kind == VALUE_CHECKS)
		read_checks(walk, (enum role)key->at, value);
	else if (key->kind != VALUE_PARAMS) /* which can be read only when the type is known */
		return value_read(walk->problems, key, value, base);
	return true;
}

/* Recursion is as deep as the schema, which is two. */
static void read_section(struct walk *walk, enum section section, const struct ynode *map, void *base,
			 struct seen *seen)
{
	if (map == NULL || map->kind == Y_NULL)
		return;
	if (map->kind != Y_MAP) {
		(void)problem(walk->problems, map, "%s must be a mapping (lines of \"key: value\")",
			      section_name(section));
		return;
	}
	for (size_t i = 0; i < map->count; i++) {
		const struct schema_key *key = schema_find(section, map->keys[i]->text);
		if (key == NULL) {
			complain_unknown(walk, section, map->keys[i]);
			continue;
		}
		size_t row = (size_t)(key - schema_keys());
		if (!is_first(walk, seen, row, map->keys[i]))
			continue;
		seen->keys[row] = map->keys[i];
		seen->values[row] = map->items[i];
		seen->is_good[row] = read_member(walk, key, map->items[i], base, seen);
	}
}

static void fill_check(struct walk *walk, struct conf_check *check, enum section section, const struct seen *seen)
{
	size_t ok_row = row_of(SECTION_CONDITION, "ok-values");
	if (check->ok_values_count > 0 && check->error_values_count > 0)
		(void)problem(walk->problems, seen->keys[row_of(SECTION_CONDITION, "error-values")],
			      "error-values and ok-values exclude each other; keep one of them");
	for (size_t row = 0; row < schema_keys_count(); row++) {
		const struct schema_key *key = &schema_keys()[row];
		bool is_empty_list = row == ok_row && check->ok_values_count == 0 && check->error_values_count == 0;
		bool is_unwanted = row == ok_row && check->error_values_count > 0;
		if (key->section == section && !is_unwanted && (!is_given(seen->values[row]) || is_empty_list))
			value_initial(key, check);
	}
}

/* Says that a key of this check is of no use beside the others, when it was given. */
static void warn_useless(struct walk *walk, const struct seen *seen, enum section section, const char *name,
			 const char *why)
{
	size_t row = row_of(section, name);
	if (is_given(seen->values[row]))
		problem_warn(walk->problems, seen->keys[row], "%s is not used %s", name, why);
}

/* What the parameters of a probe mean together. What was given but is wrong has been reported: it counts as given. */
static void check_probe(struct walk *walk, const struct conf_check *check, enum section section,
			const struct seen *seen)
{
	bool is_encrypted = text_eq(check->protocol, "HTTPS");
	bool has_ca = is_given(seen->values[row_of(section, "ca-file")]);
	if (check->protocol == NULL)
		return;
	if (text_eq(check->protocol, "TCP")) {
		warn_useless(walk, seen, section, "endpoints", "with protocol TCP");
		warn_useless(walk, seen, section, "ok-codes", "with protocol TCP");
	}
	if (!is_encrypted)
		warn_useless(walk, seen, section, "ca-file", "without protocol HTTPS");
	if (!has_ca)
		warn_useless(walk, seen, section, "server-name", "without ca-file");
	if (section != SECTION_ENDPOINT)
		return;
	if (!check->is_token_required)
		warn_useless(walk, seen, section, "token", "without require-token: true");
	else if (!is_encrypted)
		problem_warn(walk->problems, seen->keys[row_of(section, "require-token")],
			     "the token is sent unencrypted; better use protocol HTTPS and give ca-file");
	else if (!has_ca)
		problem_warn(walk->problems, seen->keys[row_of(section, "require-token")],
			     "the token is sent to a server that is not verified; better give ca-file");
}

static void read_check(struct walk *walk, struct conf_check *check, enum role role, const struct ynode *item)
{
	struct seen seen = { 0 };
	size_t type_row = row_of(SECTION_CHECK, "type");
	enum section section = SECTION_CONDITION;
	check->line = item->line;
	if (item->kind != Y_MAP) {
		(void)problem(walk->problems, item, "a check must be a mapping with \"type\" and \"params\"");
		return;
	}
	read_section(walk, SECTION_CHECK, item, check, &seen);
	if (seen.keys[type_row] == NULL) {
		(void)problem(walk->problems, item, "a check without a type");
		return;
	}
	if (!seen.is_good[type_row] || !section_of_check(check->type, &section))
		return;
	read_section(walk, section, seen.values[row_of(SECTION_CHECK, "params")], check, &seen);
	fill_check(walk, check, section, &seen);
	if (section == SECTION_ENDPOINT || section == SECTION_KUBELET)
		check_probe(walk, check, section, &seen);
	if (section == SECTION_NEVER_JOINED && role == ROLE_MASTER)
		(void)problem(walk->problems, seen.values[type_row],
			      "a NeverJoined check is for workers: masters are not replaced for not having joined");
}

static void read_checks(struct walk *walk, enum role role, const struct ynode *list)
{
	if (list->kind == Y_NULL)
		return;
	if (list->kind != Y_LIST) {
		(void)problem(walk->problems, list,
			      "healthcheck.%s must be a list of checks (lines of \"- type: ...\")", role_name(role));
		return;
	}
	if (list->count > CONF_CHECKS_MAX) {
		(void)problem(walk->problems, list, "healthcheck.%s has more than %d checks", role_name(role),
			      CONF_CHECKS_MAX);
		return;
	}
	walk->conf->checks[role] = xcalloc(list->count + 1, sizeof(struct conf_check));
	walk->conf->checks_count[role] = list->count;
	for (size_t i = 0; i < list->count; i++)
		read_check(walk, &walk->conf->checks[role][i], role, list->items[i]);
}

static void fill_defaults(struct walk *walk)
{
	size_t interface_row = row_of(SECTION_OPENSTACK, "os-endpoint-type");
	for (size_t row = 0; row < schema_keys_count(); row++) {
		const struct schema_key *key = &schema_keys()[row];
		bool is_of_check = key->section == SECTION_CHECK || section_check_type(key->section)[0] != '\0';
		bool is_for_later = row == interface_row && walk->conf->openstack.uses_clouds;
		if (!is_of_check && !is_given(walk->seen.values[row]) && !is_for_later)
			value_initial(key, walk->conf);
	}
}

static void check_cluster_name(struct walk *walk)
{
	size_t row = row_of(SECTION_TOP, "cluster-name");
	const struct ynode *key = walk->seen.keys[row];
	if (walk->conf->cluster_name != NULL)
		return;
	if (key == NULL)
		(void)problem(walk->problems, walk->root,
			      "cluster-name is missing: the name or UUID of the cluster to heal");
	else if (walk->seen.is_good[row])
		(void)problem(walk->problems, walk->seen.values[row], "cluster-name is empty");
}

static bool has_bad_value(const struct walk *walk, enum section section)
{
	for (size_t row = 0; row < schema_keys_count(); row++) {
		if (schema_keys()[row].section == section && walk->seen.keys[row] != NULL && !walk->seen.is_good[row])
			return true;
	}
	return false;
}

static void check_openstack(struct walk *walk)
{
	struct conf_openstack *os = &walk->conf->openstack;
	struct err err = { 0 };
	static const char *const only_with_clouds[] = { "clouds-file", "cloud" };
	for (size_t i = 0; !os->uses_clouds && i < COUNT(only_with_clouds); i++) {
		size_t row = row_of(SECTION_OPENSTACK, only_with_clouds[i]);
		if (is_given(walk->seen.values[row]))
			problem_warn(walk->problems, walk->seen.keys[row], "%s is not used without use-clouds: true",
				     only_with_clouds[i]);
	}
	if (os->is_tls_insecure)
		problem_warn(walk->problems, place_of(walk, SECTION_OPENSTACK, "tls-insecure"),
			     "the cloud's certificates are not verified; better give ca-file");
	if ((os->cert_file == NULL) != (os->key_file == NULL))
		(void)problem(walk->problems,
			      place_of(walk, SECTION_OPENSTACK, os->cert_file == NULL ? "key-file" : "cert-file"),
			      "cert-file and key-file go together");
	/* A misread value was reported; what it is missing for would only be an echo. */
	if (!os->uses_clouds && !has_bad_value(walk, SECTION_OPENSTACK) && !conf_credentials(os, &err))
		(void)problem(walk->problems, place_of(walk, SECTION_TOP, "openstack"), "openstack: %s", err.text);
}

/* How many checks can agree about a node. */
static int witnesses(const struct walk *walk, enum role role)
{
	int count = 0;
	for (size_t i = 0; i < walk->conf->checks_count[role]; i++)
		count += !text_eq(walk->conf->checks[role][i].type, "NeverJoined");
	return count;
}

/* A number of checks that can never agree would switch the healing off without a word. */
static void check_needs(struct walk *walk)
{
	static const char *const keys[ROLES_COUNT] = { [ROLE_MASTER] = "master-needs", [ROLE_WORKER] = "worker-needs" };
	for (enum role role = ROLE_MASTER; role <= ROLE_WORKER; role++) {
		size_t row = row_of(SECTION_HEALTHCHECK, keys[role]);
		const struct ynode *list = walk->seen.values[row_of(SECTION_HEALTHCHECK, role_name(role))];
		const struct ynode *value = walk->seen.values[row];
		/* A list that could not be read was reported. */
		bool is_unread = list != NULL && list->kind != Y_NULL && walk->conf->checks[role] == NULL;
		bool is_number = value != NULL && walk->seen.is_good[row] && isdigit((unsigned char)value->text[0]);
		int count = witnesses(walk, role);
		bool has_other = walk->conf->checks_count[role] > (size_t)count;
		if (is_number && !is_unread && walk->conf->policy.needs[role] > count)
			(void)problem(walk->problems, value,
				      "%s: %d is more than there are checks of a %s (%d)%s: none would ever be found "
				      "unhealthy",
				      keys[role], walk->conf->policy.needs[role], role_name(role), count,
				      has_other ? ", NeverJoined not counted, which judges servers without a node"
						: "");
	}
}

static void check_roles(struct walk *walk)
{
	for (enum role role = ROLE_MASTER; role <= ROLE_WORKER; role++) {
		const struct ynode *value = walk->seen.values[row_of(SECTION_HEALTHCHECK, role_name(role))];
		bool is_none = value == NULL || value->kind == Y_NULL || (value->kind == Y_LIST && value->count == 0);
		if (walk->conf->policy.is_enabled[role] && is_none)
			problem_warn(walk->problems, place_of(walk, SECTION_TOP, "healthcheck"),
				     "healthcheck.%s has no checks: no %s will ever be found unhealthy",
				     role_name(role), role_name(role));
	}
}

/* "-:3:7: text", as yaml_parse() words it for the name "-". */
static void complain_syntax(struct conf_problems *problems, const struct err *err)
{
	char *end = NULL;
	unsigned long line = strtoul(err->text + 2, &end, 10);
	unsigned long column = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
	(void)problem_at(problems, (unsigned)line, (unsigned)column, text_starts(end, ": ") ? end + 2 : err->text);
}

static struct config *conf_read(const struct ydoc *doc, const char *path, struct conf_problems *problems)
{
	struct config *conf = xcalloc(1, sizeof *conf);
	struct walk *walk = xcalloc(1, sizeof *walk);
	*walk = (struct walk){ .conf = conf, .problems = problems, .root = yaml_root(doc) };
	conf->path = xstrdup(path);
	conf->policy = policy_default();
	read_section(walk, SECTION_TOP, yaml_root(doc), conf, &walk->seen);
	fill_defaults(walk);
	if (yaml_root(doc)->kind == Y_MAP || yaml_root(doc)->kind == Y_NULL) {
		check_cluster_name(walk);
		check_openstack(walk);
		check_roles(walk);
		check_needs(walk);
	}
	free(walk);
	return conf;
}

struct config *conf_parse(struct str text, const char *path, struct conf_problems *out_problems)
{
	struct err err = { 0 };
	*out_problems = (struct conf_problems){ 0 };
	struct ydoc *doc = yaml_parse(text, "-", &err);
	if (doc == NULL) {
		complain_syntax(out_problems, &err);
		return NULL;
	}
	struct config *conf = conf_read(doc, path, out_problems);
	yaml_free(doc);
	problems_sort(out_problems);
	if (out_problems->errors_count > 0) {
		conf_free(conf);
		return NULL;
	}
	return conf;
}

struct config *conf_load(const struct file_port *port, const char *path, struct conf_problems *out_problems)
{
	struct err err = { 0 };
	struct buf text;
	struct config *conf = NULL;
	*out_problems = (struct conf_problems){ 0 };
	buf_init(&text, YAML_BYTES_MAX);
	if (port->read(port->ctx, path, &text, &err))
		conf = conf_parse(buf_str(&text), path, out_problems);
	else
		(void)problem_at(out_problems, 0, 0, err.text);
	buf_done(&text);
	return conf;
}

bool conf_check_verifies(const struct conf_check *check, struct buf *out)
{
	if (!text_eq(check->protocol, "HTTPS"))
		return false;
	if (check->ca_file == NULL)
		(void)buf_text(out,
			       "the certificate is not verified: whoever answers at the node's address is believed");
	else if (check->server_name == NULL)
		(void)buf_printf(out, "the certificate is verified with %s, for the node's address", check->ca_file);
	else
		(void)buf_printf(out, "the certificate is verified with %s, for the name %s", check->ca_file,
				 check->server_name);
	return true;
}

void conf_free(struct config *conf)
{
	if (conf == NULL)
		return;
	for (size_t row = 0; row < schema_keys_count(); row++) {
		const struct schema_key *key = &schema_keys()[row];
		bool is_param = section_check_type(key->section)[0] != '\0';
		for (size_t i = 0; is_param && i < conf->checks_count[ROLE_MASTER]; i++)
			value_free(key, &conf->checks[ROLE_MASTER][i]);
		for (size_t i = 0; is_param && i < conf->checks_count[ROLE_WORKER]; i++)
			value_free(key, &conf->checks[ROLE_WORKER][i]);
		if (!is_param && key->section != SECTION_CHECK)
			value_free(key, conf);
	}
	free(conf->checks[ROLE_MASTER]);
	free(conf->checks[ROLE_WORKER]);
	free(conf->path);
	free(conf);
}
