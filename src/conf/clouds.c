/* clouds.yaml and secure.yaml, as OpenStack's clients read them. Of the many keys that other clients know, those that
 * this program needs; the rest is not ours to judge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/yaml.h"

#define PATH_BYTES 1024

/* One cloud as both files tell it; the second wins. */
struct cloud {
	struct ydoc *docs[2];
	const struct ynode *maps[2]; /* the cloud's own mapping; NULL: not in this file */
	char path[PATH_BYTES];       /* of clouds.yaml */
	const char *home;            /* of the person who runs us; may be NULL */
	unsigned line, column;       /* of the cloud's name */
	char name[120];
};

#define OS(field) offsetof(struct conf_openstack, field)
static const struct {
	const char *section; /* NULL: the cloud itself */
	const char *key;
	size_t at;
	bool is_path;
} fields[] = {
	{ "auth", "auth_url", OS(auth_url), false },
	{ "auth", "user_id", OS(user_id), false },
	{ "auth", "username", OS(username), false },
	{ "auth", "user_name", OS(username), false },
	{ "auth", "password", OS(password), false },
	{ "auth", "project_id", OS(project_id), false },
	{ "auth", "tenant_id", OS(project_id), false },
	{ "auth", "project_name", OS(project_name), false },
	{ "auth", "tenant_name", OS(project_name), false },
	{ "auth", "domain_id", OS(domain_id), false },
	{ "auth", "domain_name", OS(domain_name), false },
	{ "auth", "default_domain_id", OS(domain_id), false },
	{ "auth", "default_domain", OS(domain_name), false },
	{ "auth", "user_domain_id", OS(user_domain_id), false },
	{ "auth", "user_domain_name", OS(user_domain_name), false },
	{ "auth", "project_domain_id", OS(project_domain_id), false },
	{ "auth", "project_domain_name", OS(project_domain_name), false },
	{ "auth", "application_credential_id", OS(application_credential_id), false },
	{ "auth", "application_credential_name", OS(application_credential_name), false },
	{ "auth", "application_credential_secret", OS(application_credential_secret), false },
	{ "auth", "token", OS(token), false },
	{ "auth", "trust_id", OS(trust_id), false },
	{ NULL, "user_domain_id", OS(user_domain_id), false },
	{ NULL, "user_domain_name", OS(user_domain_name), false },
	{ NULL, "project_domain_id", OS(project_domain_id), false },
	{ NULL, "project_domain_name", OS(project_domain_name), false },
	{ NULL, "region_name", OS(region), false },
	{ NULL, "interface", OS(os_endpoint_type), false },
	{ NULL, "endpoint_type", OS(os_endpoint_type), false },
	{ NULL, "cacert", OS(ca_file), true },
	{ NULL, "cert", OS(cert_file), true },
	{ NULL, "key", OS(key_file), true },
};

static bool fail_node(struct err *err, const struct ydoc *doc, const struct ynode *at, const char *what)
{
	return fail(err, ERR_INPUT, "%s:%u:%u: %s", yaml_name(doc), at->line, at->column, what);
}

enum found { FOUND, ABSENT, BROKEN }; /* only BROKEN fills an error */

static enum found read_file(const struct file_port *port, const char *path, struct ydoc **out_doc, struct err *err)
{
	struct buf text;
	struct err why = { 0 };
	enum found found = FOUND;
	buf_init(&text, YAML_BYTES_MAX);
	if (!port->read(port->ctx, path, &text, &why)) {
		found = why.code == ERR_GONE ? ABSENT : BROKEN;
		if (found == BROKEN)
			(void)fail(err, why.code, "%s", why.text);
	} else if ((*out_doc = yaml_parse(buf_str(&text), path, err)) == NULL) {
		found = BROKEN;
	}
	buf_done(&text);
	return found;
}

/* The n-th place where clients look for a file of this name; false: no more. An empty path: it does not apply. */
static bool nth_place(const struct cloud *cloud, unsigned n, const char *name, char out[PATH_BYTES])
{
	int length = 0;
	out[0] = '\0';
	if (n == 0)
		length = snprintf(out, PATH_BYTES, "./%s", name);
	else if (n == 1 && cloud->home != NULL)
		length = snprintf(out, PATH_BYTES, "%s/.config/openstack/%s", cloud->home, name);
	else if (n == 2)
		length = snprintf(out, PATH_BYTES, "/etc/openstack/%s", name);
	if (length < 0 || length >= PATH_BYTES)
		out[0] = '\0'; /* a cut path is another path */
	return n <= 2;
}

/* A named file must be there; otherwise the first that is found. ABSENT: there is none anywhere. */
static enum found search(const struct cloud *cloud, const struct file_port *port, const char *named, const char *name,
			 char out_path[PATH_BYTES], struct ydoc **out_doc, struct err *err)
{
	if (named != NULL && named[0] != '\0') {
		if (!text_copy(out_path, PATH_BYTES, named)) {
			(void)fail(err, ERR_INPUT, "the path of %s is too long", name);
			return BROKEN;
		}
		enum found found = read_file(port, named, out_doc, err);
		if (found == ABSENT)
			(void)fail(err, ERR_GONE, "%s: there is no such file", named);
		return found == FOUND ? FOUND : BROKEN;
	}
	for (unsigned n = 0; nth_place(cloud, n, name, out_path); n++) {
		enum found found = out_path[0] == '\0' ? ABSENT : read_file(port, out_path, out_doc, err);
		if (found != ABSENT)
			return found;
	}
	return ABSENT;
}

/* secure.yaml: where it is said to be, beside clouds.yaml, or where clients look. There need not be one. */
static bool find_secure(struct cloud *cloud, const struct file_port *port, struct err *err)
{
	char path[PATH_BYTES];
	const char *slash = strrchr(cloud->path, '/');
	const char *named = port->env(port->ctx, "OS_CLIENT_SECURE_FILE");
	enum found found = ABSENT;
	int folder_len = slash != NULL ? (int)(slash + 1 - cloud->path) : 0;
	int length = snprintf(path, sizeof path, "%.*ssecure.yaml", folder_len, cloud->path);
	if ((named == NULL || named[0] == '\0') && length > 0 && (size_t)length < sizeof path)
		found = read_file(port, path, &cloud->docs[1], err);
	if (found == ABSENT)
		found = search(cloud, port, named, "secure.yaml", path, &cloud->docs[1], err);
	return found != BROKEN;
}

/* Finds the mapping below `clouds` in one of the files; NULL also when it has none there. */
static bool find_cloud(const struct ydoc *doc, const char *name, const struct ynode **out_key,
		       const struct ynode **out_map, struct err *err)
{
	const struct ynode *clouds = yaml_get(yaml_root(doc), "clouds");
	*out_map = NULL;
	*out_key = NULL;
	if (clouds == NULL || clouds->kind == Y_NULL)
		return true;
	if (clouds->kind != Y_MAP)
		return fail_node(err, doc, clouds, "clouds must be a mapping of names to clouds");
	for (size_t i = 0; i < clouds->count; i++) {
		if (strcmp(clouds->keys[i]->text, name) != 0)
			continue;
		if (clouds->items[i]->kind != Y_MAP)
			return fail_node(err, doc, clouds->items[i], "a cloud must be a mapping");
		*out_key = clouds->keys[i];
		*out_map = clouds->items[i];
		return true;
	}
	return true;
}

static bool list_clouds(const struct ydoc *doc, const char *problem, struct err *err)
{
	const struct ynode *clouds = yaml_get(yaml_root(doc), "clouds");
	struct buf names;
	buf_init(&names, 120);
	for (size_t i = 0; clouds != NULL && clouds->kind == Y_MAP && i < clouds->count; i++)
		(void)buf_printf(&names, "%s%s", i > 0 ? ", " : "", clouds->keys[i]->text); /* as many as fit */
	(void)fail(err, ERR_INPUT, "%s:%u:%u: %s; there is: %s", yaml_name(doc),
		   clouds != NULL ? clouds->line : yaml_root(doc)->line,
		   clouds != NULL ? clouds->column : yaml_root(doc)->column, problem,
		   names.n > 0 ? buf_cstr(&names) : "no cloud at all");
	buf_done(&names);
	return false;
}

/* Which cloud: the configuration's, the environment's, or the only one there is. */
static bool choose_cloud(struct cloud *cloud, const char *wanted, const struct file_port *port, struct err *err)
{
	const struct ynode *clouds = yaml_get(yaml_root(cloud->docs[0]), "clouds");
	const char *of_env = port->env(port->ctx, "OS_CLOUD");
	const char *name = wanted != NULL && wanted[0] != '\0' ? wanted : of_env;
	if ((name == NULL || name[0] == '\0') && clouds != NULL && clouds->kind == Y_MAP && clouds->count == 1)
		name = clouds->keys[0]->text;
	if (name == NULL || name[0] == '\0')
		return list_clouds(cloud->docs[0], "which cloud? say so with openstack.cloud or OS_CLOUD", err);
	if (!TEXT_COPY(cloud->name, name))
		return fail(err, ERR_INPUT, "the cloud's name is longer than %zu bytes", sizeof cloud->name - 1);
	const struct ynode *key = NULL;
	if (!find_cloud(cloud->docs[0], name, &key, &cloud->maps[0], err))
		return false;
	if (key == NULL) {
		char problem[160];
		(void)snprintf(problem, sizeof problem, "there is no cloud \"%s\"", cloud->name);
		return list_clouds(cloud->docs[0], problem, err);
	}
	cloud->line = key->line;
	cloud->column = key->column;
	return cloud->docs[1] == NULL || find_cloud(cloud->docs[1], name, &key, &cloud->maps[1], err);
}

/* The text of a key, secure.yaml's before clouds.yaml's. NULL in *out_text: it is in neither. */
static bool find_text(const struct cloud *cloud, const char *section, const char *key, const char **out_text,
		      const struct ynode **out_node, const struct ydoc **out_doc, struct err *err)
{
	*out_text = NULL;
	for (size_t i = 2; i-- > 0 && *out_text == NULL;) {
		const struct ynode *map = cloud->maps[i];
		if (section != NULL && (map = yaml_get(map, section)) != NULL && map->kind != Y_MAP &&
		    map->kind != Y_NULL)
			return fail_node(err, cloud->docs[i], map, "auth must be a mapping");
		const struct ynode *node = yaml_get(map, key);
		if (node == NULL || node->kind == Y_NULL)
			continue;
		if (node->kind != Y_SCALAR) {
			return fail(err, ERR_INPUT, "%s:%u:%u: %s must be a single value", yaml_name(cloud->docs[i]),
				    node->line, node->column, key);
		}
		*out_text = node->text[0] != '\0' ? node->text : NULL;
		*out_node = node;
		*out_doc = cloud->docs[i];
	}
	return true;
}

static char *expand(const struct cloud *cloud, const char *text, bool is_path)
{
	if (!is_path || !text_starts(text, "~/") || cloud->home == NULL)
		return xstrdup(text);
	size_t n = strlen(cloud->home) + strlen(text);
	char *path = xmalloc(n);
	(void)snprintf(path, n, "%s%s", cloud->home, text + 1);
	return path;
}

static bool has(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* One way to name a user (project, domain) in the configuration silences the other way in clouds.yaml: the two could
 * mean different ones. So it is with kinds of credentials. */
static bool is_overruled(const struct conf_openstack *own, size_t at)
{
	bool has_user = has(own->user_id) || has(own->username);
	bool has_project = has(own->project_id) || has(own->project_name) || has(own->trust_id);
	bool has_application = has(own->application_credential_id) || has(own->application_credential_name);
	bool has_kind = has(own->password) || has(own->token) || has(own->trustee_id) || has_application;
	if (at == OS(user_id) || at == OS(username))
		return has_user || has(own->trustee_id);
	if (at == OS(project_id) || at == OS(project_name) || at == OS(trust_id))
		return has_project;
	if (at == OS(user_domain_id) || at == OS(user_domain_name))
		return has(own->user_domain_id) || has(own->user_domain_name);
	if (at == OS(project_domain_id) || at == OS(project_domain_name))
		return has(own->project_domain_id) || has(own->project_domain_name);
	if (at == OS(domain_id) || at == OS(domain_name))
		return has(own->domain_id) || has(own->domain_name);
	if (at == OS(application_credential_id) || at == OS(application_credential_name) || at == OS(token))
		return has_kind;
	if (at == OS(application_credential_secret))
		return has_kind && !has_application;
	if (at == OS(password))
		return has_kind;
	return false;
}

static bool fill_fields(const struct cloud *cloud, struct conf_openstack *os, struct err *err)
{
	const struct conf_openstack own = *os; /* as it was before; only asked which fields are there */
	bool is_own[COUNT(fields)];
	for (size_t i = 0; i < COUNT(fields); i++)
		is_own[i] = is_overruled(&own, fields[i].at);
	for (size_t i = 0; i < COUNT(fields); i++) {
		char **target = (char **)((char *)os + fields[i].at);
		const char *text = NULL;
		const struct ynode *node = NULL;
		const struct ydoc *doc = NULL;
		if (!find_text(cloud, fields[i].section, fields[i].key, &text, &node, &doc, err))
			return false;
		if (text == NULL || has(*target) || is_own[i])
			continue;
		if (strlen(text) > CONF_TEXT_BYTES_MAX || strpbrk(text, "\r\n") != NULL)
			return fail(err, ERR_INPUT, "%s:%u:%u: %s must be one line of at most %d bytes", yaml_name(doc),
				    node->line, node->column, fields[i].key, CONF_TEXT_BYTES_MAX);
		free(*target);
		*target = expand(cloud, text, fields[i].is_path);
	}
	return true;
}

static bool fill_trust_in_servers(const struct cloud *cloud, struct conf_openstack *os, struct err *err)
{
	static const struct {
		const char *key;
		bool means_insecure;
	} switches[] = { { "verify", false }, { "insecure", true } };
	for (size_t i = 0; i < COUNT(switches); i++) {
		const char *text = NULL;
		const struct ynode *node = NULL;
		const struct ydoc *doc = NULL;
		bool value = false;
		if (!find_text(cloud, NULL, switches[i].key, &text, &node, &doc, err))
			return false;
		if (text == NULL)
			continue;
		if (!yaml_truth(text, &value))
			return fail(err, ERR_INPUT, "%s:%u:%u: %s is neither true nor false", yaml_name(doc),
				    node->line, node->column, switches[i].key);
		os->is_tls_insecure = os->is_tls_insecure || value == switches[i].means_insecure;
	}
	return true;
}

static bool check_auth_type(const struct cloud *cloud, struct err *err)
{
	static const char *const known[] = { "password", "v3password", "token", "v3token", "v3applicationcredential" };
	const char *text = NULL;
	const struct ynode *node = NULL;
	const struct ydoc *doc = NULL;
	if (!find_text(cloud, NULL, "auth_type", &text, &node, &doc, err))
		return false;
	for (size_t i = 0; text != NULL && i < COUNT(known); i++) {
		if (strcmp(known[i], text) == 0)
			text = NULL;
	}
	return text == NULL ? true
			    : fail_node(err, doc, node,
					"this auth_type is not supported; there is: v3password, v3token, "
					"v3applicationcredential");
}

/* "publicURL" is the old way to write "public". */
static bool settle_interface(struct conf_openstack *os, struct err *err)
{
	static const char *const known[] = { "public", "internal", "admin" };
	if (!has(os->os_endpoint_type)) {
		free(os->os_endpoint_type);
		os->os_endpoint_type = xstrdup("public");
	}
	char *text = os->os_endpoint_type;
	size_t n = strlen(text);
	if (n > 3 && strcmp(text + n - 3, "URL") == 0)
		text[n - 3] = '\0';
	for (size_t i = 0; i < COUNT(known); i++) {
		if (strcmp(text, known[i]) == 0)
			return true;
	}
	return fail(err, ERR_INPUT, "interface must be public, internal or admin");
}

static bool fill(struct cloud *cloud, struct conf_openstack *os, const struct file_port *port, struct err *err)
{
	const char *named = has(os->clouds_file) ? os->clouds_file : port->env(port->ctx, "OS_CLIENT_CONFIG_FILE");
	enum found found = search(cloud, port, named, "clouds.yaml", cloud->path, &cloud->docs[0], err);
	if (found == ABSENT)
		return fail(err, ERR_GONE,
			    "use-clouds: there is no clouds.yaml here, in ~/.config/openstack or in "
			    "/etc/openstack; name it with clouds-file");
	if (found == BROKEN || !find_secure(cloud, port, err) || !choose_cloud(cloud, os->cloud, port, err))
		return false;
	if (!check_auth_type(cloud, err) || !fill_fields(cloud, os, err) || !fill_trust_in_servers(cloud, os, err))
		return false;
	if (!settle_interface(os, err) || !conf_credentials(os, err)) {
		bool has_profile = yaml_get(cloud->maps[0], "profile") != NULL;
		struct err why = *err;
		return fail(err, why.code, "%s:%u:%u: cloud \"%s\": %s%s", yaml_name(cloud->docs[0]), cloud->line,
			    cloud->column, cloud->name, why.text, has_profile ? " (profiles are not looked up)" : "");
	}
	return true;
}

bool conf_clouds(struct conf_openstack *os, const struct file_port *port, struct err *err)
{
	struct err unread = { 0 };
	if (!os->uses_clouds)
		return true;
	struct cloud cloud = { .home = port->env(port->ctx, "HOME") };
	bool is_filled = fill(&cloud, os, port, err != NULL ? err : &unread);
	yaml_free(cloud.docs[0]);
	yaml_free(cloud.docs[1]);
	return is_filled;
}
