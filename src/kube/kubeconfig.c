#include "kube/kubeconfig.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/yaml.h"
#include "kube/base64.h"

/* The files of the list that could be read. */
struct files {
	struct ydoc *docs[KUBECONFIG_FILES_MAX];
	char *paths[KUBECONFIG_FILES_MAX];
	size_t count;
};

/* An entry of clusters, users or contexts, and the file it stands in. */
struct found {
	const struct ynode *body;
	const char *path;
};

static void free_text(char **text)
{
	free(*text);
}

void login_done(struct login *login)
{
	free(login->server);
	free(login->ns);
	free(login->tls.ca_pem);
	free(login->tls.ca_file);
	free(login->tls.cert_pem);
	free(login->tls.cert_file);
	free(login->tls.key_pem);
	free(login->tls.key_file);
	free(login->tls.server_name);
	free(login->tls.proxy_url);
	free(login->token);
	free(login->token_file);
	free(login->exec.api_version);
	free(login->exec.command);
	for (char **arg = login->exec.args; arg != NULL && *arg != NULL; arg++)
		free(*arg);
	for (char **env = login->exec.env; env != NULL && *env != NULL; env++)
		free(*env);
	free(login->exec.args);
	free(login->exec.env);
	*login = (struct login){ 0 };
}

static void files_done(struct files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		yaml_free(files->docs[i]);
		free(files->paths[i]);
	}
	files->count = 0;
}

static bool wrong(const struct found *in, const struct ynode *at, struct err *err, const char *what)
{
	return fail(err, ERR_INPUT, "%s:%u:%u: %s", in->path, at->line, at->column, what);
}

bool token_is_sound(struct str token)
{
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] <= ' ' || token.p[i] > '~')
			return false;
	}
	return token.n > 0 && token.n <= LOGIN_TOKEN_BYTES_MAX;
}

char *server_url(const char *text, struct err *err)
{
	bool has_scheme = text_starts(text, "https://") || text_starts(text, "http://");
	if (!has_scheme && strstr(text, "://") != NULL) {
		fail(err, ERR_INPUT, "the API server's URL \"%.100s\" is neither https nor http", text);
		return NULL;
	}
	struct buf url;
	buf_init(&url, 2048);
	bool ok = (has_scheme || buf_text(&url, "https://")) && buf_text(&url, text);
	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.p[--url.n] = '\0';
	const char *host = ok ? strstr(buf_cstr(&url), "://") : NULL;
	ok = host != NULL && host[3] != '\0' && host[3] != '/' && strpbrk(host, "@?# \t\r\n\"\\") == NULL;
	for (size_t i = 0; i < url.n; i++)
		ok = ok && url.p[i] > ' ' && url.p[i] <= '~';
	char *out = ok ? xstrndup(url.p, url.n) : NULL;
	buf_done(&url);
	if (out == NULL)
		fail(err, ERR_INPUT, "\"%.100s\" is not the URL of an API server", text);
	return out;
}

/* *out_is_read: the file was there. One that is there but is not YAML is an error even in a lenient list: it was meant
 * to count. */
static bool file_add(struct files *files, const struct file_port *port, const char *path, bool *out_is_read,
		     struct err *err)
{
	struct buf text;
	buf_init(&text, YAML_BYTES_MAX);
	*out_is_read = port->read(port->ctx, path, &text, err);
	struct ydoc *doc = *out_is_read ? yaml_parse(buf_str(&text), path, err) : NULL;
	if (text.p != NULL)
		explicit_bzero(text.p, text.n); /* keys and tokens */
	buf_done(&text);
	if (doc == NULL)
		return false;
	files->docs[files->count] = doc;
	files->paths[files->count++] = xstrdup(path);
	return true;
}

static bool files_read(struct files *files, const struct file_port *port, const char *paths, bool is_lenient,
		       struct err *err)
{
	struct err why = { 0 };
	for (const char *at = paths; *at != '\0';) {
		size_t n = strcspn(at, ":");
		CLEANUP(free_text) char *path = xstrndup(at, n);
		at += n + (at[n] == ':');
		if (path[0] == '\0')
			continue;
		if (files->count == KUBECONFIG_FILES_MAX)
			return fail(err, ERR_INPUT, "more than %d kubeconfig files", KUBECONFIG_FILES_MAX);
		bool is_read = false;
		if (!file_add(files, port, path, &is_read, &why) && (is_read || !is_lenient))
			return fail(err, why.code, "%s", why.text);
	}
	if (files->count > 0)
		return true;
	if (why.code != ERR_NONE)
		return fail(err, why.code, "%s", why.text);
	return fail(err, ERR_INPUT, "no kubeconfig file in \"%.100s\"", paths);
}

/* LIST is "clusters", "users" or "contexts", WHAT the singular, which is the key of the body. */
static bool entry_find(const struct files *files, const char *list, const char *what, const char *name,
		       struct found *out, struct err *err)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct ynode *entries = yaml_get(yaml_root(files->docs[i]), list);
		for (size_t k = 0; entries != NULL && entries->kind == Y_LIST && k < entries->count; k++) {
			if (!text_eq(yaml_text(entries->items[k], "name"), name))
				continue;
			const struct ynode *body = yaml_get(entries->items[k], what);
			*out = (struct found){ body != NULL ? body : entries->items[k], files->paths[i] };
			return body != NULL || wrong(out, entries->items[k], err, "this entry has no body");
		}
	}
	fail(err, ERR_INPUT, "%s: there is no %s named \"%.80s\"", files->paths[0], what, name);
	return false; /* the analyser cannot see what fail() returns */
}

/* A text of the entry; absent, null and "" are all NULL. Lists and maps in its place are errors. */
static bool text_take(const struct found *in, const char *key, char **out, struct err *err)
{
	const struct ynode *node = yaml_get(in->body, key);
	if (node == NULL || node->kind == Y_NULL)
		return true;
	if (node->kind != Y_SCALAR)
		return wrong(in, node, err, "a text is wanted here");
	if (node->text[0] == '\0')
		return true;
	free(*out);
	*out = xstrdup(node->text);
	return true;
}

static bool flag_take(const struct found *in, const char *key, bool *out, struct err *err)
{
	const struct ynode *node = yaml_get(in->body, key);
	if (node == NULL || node->kind == Y_NULL)
		return true;
	if (node->kind != Y_SCALAR || (!text_eq(node->text, "true") && !text_eq(node->text, "false")))
		return wrong(in, node, err, "true or false is wanted here");
	*out = text_eq(node->text, "true");
	return true;
}

/* Relative to the file that names it. */
static char *path_beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	if (path[0] == '/' || slash == NULL)
		return xstrdup(path);
	struct buf joined;
	buf_init(&joined, strlen(file) + strlen(path) + 1);
	(void)buf_add(&joined, file, (size_t)(slash - file) + 1); /* fits */
	(void)buf_text(&joined, path);
	char *out = xstrdup(buf_cstr(&joined));
	buf_done(&joined);
	return out;
}

static bool path_take(const struct found *in, const char *key, char **out, struct err *err)
{
	CLEANUP(free_text) char *path = NULL;
	if (!text_take(in, key, &path, err))
		return false;
	if (path != NULL) {
		free(*out);
		*out = path_beside(in->path, path);
	}
	return true;
}

/* KEY-data (base64 PEM) wins over KEY (a file). */
static bool pem_take(const struct found *in, const char *key, const char *data_key, char **out_file, char **out_pem,
		     struct err *err)
{
	const struct ynode *data = yaml_get(in->body, data_key);
	if (data == NULL || data->kind == Y_NULL || (data->kind == Y_SCALAR && data->text[0] == '\0'))
		return path_take(in, key, out_file, err);
	struct buf pem;
	buf_init(&pem, LOGIN_PEM_BYTES_MAX);
	bool ok = data->kind == Y_SCALAR && base64_decode(str_of(data->text), &pem) && pem.n > 0 &&
		  memchr(pem.p, '\0', pem.n) == NULL && strstr(pem.p, "-----BEGIN ") != NULL;
	if (ok)
		*out_pem = xstrdup(buf_cstr(&pem));
	if (pem.p != NULL)
		explicit_bzero(pem.p, pem.n); /* it may be a key */
	buf_done(&pem);
	return ok || wrong(in, data, err, "this is not PEM text in base64");
}

static bool cluster_take(const struct found *in, struct login *login, struct err *err)
{
	struct tls_opts *tls = &login->tls;
	if (!text_take(in, "server", &login->server, err) ||
	    !pem_take(in, "certificate-authority", "certificate-authority-data", &tls->ca_file, &tls->ca_pem, err) ||
	    !text_take(in, "tls-server-name", &tls->server_name, err) ||
	    !text_take(in, "proxy-url", &tls->proxy_url, err) ||
	    !flag_take(in, "insecure-skip-tls-verify", &tls->is_insecure, err))
		return false;
	if (tls->is_insecure && (tls->ca_file != NULL || tls->ca_pem != NULL))
		return wrong(in, in->body, err,
			     "a certificate authority and insecure-skip-tls-verify exclude each other");
	return true;
}

/* A list of texts, or of {name, value} pairs written "name=value". Absent: an empty list. */
static bool list_take(const struct found *in, const char *key, bool is_pairs, char ***out, struct err *err)
{
	const struct ynode *list = yaml_get(in->body, key);
	bool is_there = list != NULL && list->kind != Y_NULL;
	if (is_there && (list->kind != Y_LIST || list->count > EXEC_ARGS_MAX))
		return wrong(in, list, err, "a list of at most 64 items is wanted here");
	size_t count = is_there ? list->count : 0;
	*out = xcalloc(count + 1, sizeof **out);
	for (size_t i = 0; i < count; i++) {
		const struct ynode *item = list->items[i];
		const char *name = is_pairs ? yaml_text(item, "name") : item->text;
		const char *value = is_pairs ? yaml_text(item, "value") : "";
		bool is_text = is_pairs || item->kind == Y_SCALAR || item->kind == Y_NULL;
		if (!is_text || name == NULL || (is_pairs && (name[0] == '\0' || strchr(name, '=') != NULL)))
			return wrong(in, item, err, is_pairs ? "name and value are wanted here" : "a text is wanted");
		struct buf text;
		buf_init(&text, YAML_BYTES_MAX);
		bool ok = buf_text(&text, name) && (!is_pairs || buf_char(&text, '=')) &&
			  buf_text(&text, value != NULL ? value : "");
		(*out)[i] = xstrdup(buf_cstr(&text));
		buf_done(&text);
		if (!ok)
			return wrong(in, item, err, "this is too long");
	}
	return true;
}

static bool exec_take(const struct found *user, struct login_exec *exec, struct err *err)
{
	struct found in = { yaml_get(user->body, "exec"), user->path };
	if (in.body == NULL || in.body->kind == Y_NULL)
		return true;
	CLEANUP(free_text) char *command = NULL;
	CLEANUP(free_text) char *mode = NULL;
	if (!text_take(&in, "apiVersion", &exec->api_version, err) || !text_take(&in, "command", &command, err) ||
	    !text_take(&in, "interactiveMode", &mode, err) || !list_take(&in, "args", false, &exec->args, err) ||
	    !list_take(&in, "env", true, &exec->env, err) ||
	    !flag_take(&in, "provideClusterInfo", &exec->wants_cluster, err))
		return false;
	if (!text_eq(exec->api_version, "client.authentication.k8s.io/v1") &&
	    !text_eq(exec->api_version, "client.authentication.k8s.io/v1beta1"))
		return wrong(&in, in.body, err, "apiVersion must be client.authentication.k8s.io/v1 or v1beta1");
	if (command == NULL)
		return wrong(&in, in.body, err, "there is no command");
	if (text_eq(mode, "Always"))
		return wrong(&in, in.body, err, "this plug-in wants a terminal (interactiveMode: Always)");
	/* a bare name is looked up in PATH, a path is relative to this file */
	exec->command = strchr(command, '/') != NULL ? path_beside(in.path, command) : steal(command);
	return true;
}

static bool user_take(const struct found *in, struct login *login, struct err *err)
{
	struct tls_opts *tls = &login->tls;
	if (!pem_take(in, "client-certificate", "client-certificate-data", &tls->cert_file, &tls->cert_pem, err) ||
	    !pem_take(in, "client-key", "client-key-data", &tls->key_file, &tls->key_pem, err) ||
	    !text_take(in, "token", &login->token, err) || !path_take(in, "tokenFile", &login->token_file, err) ||
	    !exec_take(in, &login->exec, err))
		return false;
	bool has_cert = tls->cert_file != NULL || tls->cert_pem != NULL;
	bool has_key = tls->key_file != NULL || tls->key_pem != NULL;
	bool has_token = login->token != NULL || login->token_file != NULL;
	if (has_cert != has_key)
		return wrong(in, in->body, err, "a client certificate needs its key, and a key its certificate");
	if (login->token != NULL && !token_is_sound(str_of(login->token)))
		return wrong(in, yaml_get(in->body, "token"), err, "this token has spaces or control characters in it");
	if (has_cert || has_token || login->exec.api_version != NULL)
		return true;
	if (yaml_get(in->body, "auth-provider") != NULL)
		return wrong(in, in->body, err, "auth-provider is no longer part of Kubernetes: use exec");
	if (yaml_get(in->body, "username") != NULL)
		return wrong(in, in->body, err, "no API server takes user name and password any more");
	return true; /* nobody: a local proxy adds the credentials */
}

static const char *current_context(const struct files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		const char *name = yaml_text(yaml_root(files->docs[i]), "current-context");
		if (name != NULL && name[0] != '\0')
			return name;
	}
	return NULL;
}

static bool login_fill(const struct files *files, const char *context, const char *api_host, struct login *login,
		       struct err *err)
{
	struct found found;
	const char *name = context != NULL && context[0] != '\0' ? context : current_context(files);
	if (name == NULL)
		return fail(err, ERR_INPUT, "%s: there is no current-context", files->paths[0]);
	if (!entry_find(files, "contexts", "context", name, &found, err) ||
	    !text_take(&found, "namespace", &login->ns, err))
		return false;
	const char *cluster = yaml_text(found.body, "cluster");
	const char *user = yaml_text(found.body, "user");
	if (cluster == NULL)
		return wrong(&found, found.body, err, "this context names no cluster");
	struct found at = { 0 };
	if (!entry_find(files, "clusters", "cluster", cluster, &at, err) || !cluster_take(&at, login, err))
		return false;
	if (api_host != NULL && api_host[0] != '\0') {
		free(login->server);
		login->server = xstrdup(api_host);
	}
	if (login->server == NULL)
		return wrong(&at, at.body, err, "this cluster has no server");
	CLEANUP(free_text) char *server = steal(login->server);
	login->server = server_url(server, err);
	if (login->server == NULL)
		return err_while(err, "reading %s", at.path);
	if (user == NULL || user[0] == '\0')
		return true;
	return entry_find(files, "users", "user", user, &at, err) && user_take(&at, login, err);
}

bool kubeconfig_read(const struct file_port *port, const char *paths, bool is_list_lenient, const char *context,
		     const char *api_host, struct login *out, struct err *err)
{
	struct files files = { .count = 0 };
	struct login login = { 0 };
	bool ok = files_read(&files, port, paths, is_list_lenient, err) &&
		  login_fill(&files, context, api_host, &login, err);
	files_done(&files);
	if (ok)
		*out = login;
	else
		login_done(&login);
	return ok;
}
