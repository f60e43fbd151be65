/* The configuration, as the program uses it. src/conf/schema.c says which keys there are; docs/configuration.md what
 * they mean. Everything is owned by the struct config. */
#ifndef MAH_CONF_CONF_H
#define MAH_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/port.h"
#include "core/facts.h"
#include "core/policy.h"

struct conf_check {
	char type[32]; /* "NodeCondition", "Endpoint", ...: canonical spelling */
	unsigned line; /* where it stands, for messages */
	int64_t unhealthy_duration_ms;
	struct ladder ladder; /* count 0: the role's */
	/* NodeCondition */
	char **types;
	size_t types_count;
	char **ok_values; /* at most one of ok_values and error_values is non-empty */
	size_t ok_values_count;
	char **error_values;
	size_t error_values_count;
	/* NodeLease */
	int64_t max_age_ms; /* a Lease that was not renewed for so long is bad */
	/* CloudServer */
	char **states; /* of Nova, upper case, and "GONE": the cloud does not know the server any more */
	size_t states_count;
	/* Endpoint, Kubelet */
	int64_t timeout_ms;
	char *ca_file;     /* verifies the certificate; NULL: nothing is verified */
	char *server_name; /* ... for this name; NULL: for the node's address */
	char *protocol;    /* "HTTP" or "HTTPS"; Kubelet: or "TCP" */
	int port;
	char **endpoints;
	size_t endpoints_count;
	int *ok_codes;
	size_t ok_codes_count;
	bool is_token_required;
	char *token;
	char *unhealthy_annotation;
};

struct conf_openstack {
	char *auth_url, *user_id, *username, *password;
	char *project_id, *project_name, *trust_id, *trustee_id, *trustee_password;
	char *domain_id, *domain_name, *project_domain_id, *project_domain_name, *user_domain_id, *user_domain_name;
	char *region;
	/* "public" (default), "internal", "admin", however it was written. With use-clouds NULL until conf_clouds(). */
	char *os_endpoint_type;
	char *ca_file, *cert_file, *key_file, *token;
	char *application_credential_id, *application_credential_name, *application_credential_secret;
	bool is_tls_insecure;
	bool uses_clouds;
	char *clouds_file, *cloud;
};

struct config {
	char *path;
	char *cluster_name;
	char *cloud_provider; /* "openstack" */
	char *kubernetes_api_host;
	char *kubernetes_kubeconfig;
	int kubernetes_api_port; /* of the masters' own addresses, when the first one fails */
	bool is_leader_elected;
	struct policy policy;
	struct conf_check *checks[ROLES_COUNT];
	size_t checks_count[ROLES_COUNT];
	struct conf_openstack openstack;
};

/* One finding of the reader: "file:line:column: text (suggestion)". */
struct conf_problem {
	unsigned line, column; /* from 1; line 0: the file as a whole (it could not be read) */
	bool is_warning;
	char text[240];
};
struct conf_problems {
	struct conf_problem *list; /* in the order of their places */
	size_t count;
	size_t errors_count; /* of those that are not warnings */
};
void conf_problems_done(struct conf_problems *);
#define CONF_PROBLEMS_MAX 500 /* further ones are only counted */

/* Appends the line "path:line:column: [warning: ]text\n". */
void conf_problem_print(const struct conf_problem *, const char *path, struct buf *out);

#define CONF_CHECKS_MAX 8 /* for one role: CHECKS_PER_ROLE_MAX of core/snapshot.h */
#define CONF_ITEMS_MAX 64 /* of a list */
#define CONF_TEXT_BYTES_MAX 4096

/* Reads everything, reports everything. NULL when there is any error; *out_problems is always filled (warnings too) and
 * is the caller's to free. */
struct config *conf_load(const struct file_port *, const char *path, struct conf_problems *out_problems);
struct config *conf_parse(struct str text, const char *path, struct conf_problems *out_problems);
void conf_free(struct config *);

/* One clause that says what this check verifies of whom it asks; false, and nothing, when it speaks no TLS. */
bool conf_check_verifies(const struct conf_check *, struct buf *out);

/* With use-clouds: fills the empty fields of *os from clouds.yaml (and secure.yaml, whose values win over it), searched
 * where OpenStack clients search: clouds-file, $OS_CLIENT_CONFIG_FILE, ./clouds.yaml, ~/.config/openstack/,
 * /etc/openstack/. Which cloud: `cloud`, $OS_CLOUD, the only one. Without use-clouds nothing happens. In the end the
 * credentials are complete (conf_credentials). On failure *os may be partly filled; it is still to be freed. */
bool conf_clouds(struct conf_openstack *os, const struct file_port *, struct err *err);

/* Is there an address and one complete kind of credentials: an application credential, a token, a trustee, or a user
 * with a password, with a project or trust where the kind needs one? Says what is missing, in the keys' names. */
bool conf_credentials(const struct conf_openstack *, struct err *err);

#endif
