/* Reads kubeconfigs: which server, trusted how, and who we are to it. Plain data; src/kube/access.c uses it. */
#ifndef MAH_KUBE_KUBECONFIG_H
#define MAH_KUBE_KUBECONFIG_H

#include <stdbool.h>

#include "base/err.h"
#include "base/http.h"
#include "base/port.h"

#define KUBECONFIG_FILES_MAX 16 /* of a colon list */
#define EXEC_ARGS_MAX 64        /* of an exec plug-in, and as many environment entries */
#define LOGIN_TOKEN_BYTES_MAX 32768
#define LOGIN_PEM_BYTES_MAX ((size_t)1 << 20)

/* A program that prints a credential. */
struct login_exec {
	char *api_version; /* NULL: no plug-in */
	char *command;
	char **args; /* NULL-terminated */
	char **env;  /* "NAME=value", NULL-terminated */
	bool wants_cluster;
};

struct login {
	char *server; /* "https://host:port", no slash at the end */
	char *ns;     /* NULL: the context names none */
	struct tls_opts tls;
	char *token;
	char *token_file; /* wins over token */
	struct login_exec exec;
};
void login_done(struct login *);

/* PATHS is a colon list, merged: the first file that has an entry of a name wins, wholly. Files that cannot be read are
 * passed over if is_list_lenient and at least one can. context: NULL for the current one. api_host "" or NULL: the
 * cluster's server. Errors name file, line and column. */
bool kubeconfig_read(const struct file_port *, const char *paths, bool is_list_lenient, const char *context,
		     const char *api_host, struct login *out, struct err *err);

/* Checks the URL of an API server, puts https:// in front of a bare host, takes slashes off the end. NULL: not usable.
 */
char *server_url(const char *text, struct err *err);
/* A token fit for a header line: nothing but printable ASCII without spaces. */
bool token_is_sound(struct str token);

#endif
