/* Credential plug-ins (client.authentication.k8s.io): the question as environment, the answer as JSON. Pure. */
#ifndef MAH_KUBE_EXEC_LOGIN_H
#define MAH_KUBE_EXEC_LOGIN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "base/time.h"
#include "kube/kubeconfig.h"

#define EXEC_OUTPUT_BYTES_MAX ((size_t)1 << 20)

struct credential {
	char *token;    /* NULL: the certificate is the credential */
	char *cert_pem; /* NULL: the token is */
	char *key_pem;
	struct wall expires; /* 0: not said */
};
void credential_done(struct credential *);

/* The value of KUBERNETES_EXEC_INFO. ca_pem: "" when none; only used if the plug-in wants to know the cluster. */
bool exec_info(const struct login *, struct str ca_pem, struct buf *out);
/* Reads what the plug-in printed. */
bool exec_answer_read(const struct login_exec *, struct str output, struct credential *out, struct err *err);

#endif
