#include "kube/exec_login.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "kube/base64.h"

static void forget(char **secret)
{
	if (*secret != NULL)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void credential_done(struct credential *credential)
{
	forget(&credential->token);
	forget(&credential->cert_pem);
	forget(&credential->key_pem);
	credential->expires = (struct wall){ 0 };
}

static bool add_text(struct buf *out, const char *key, const char *value)
{
	if (value == NULL)
		return true;
	return buf_printf(out, ",\"%s\":", key) && buf_json(out, value);
}

bool exec_info(const struct login *login, struct str ca_pem, struct buf *out)
{
	bool ok = buf_text(out, "{\"kind\":\"ExecCredential\",\"apiVersion\":") &&
		  buf_json(out, login->exec.api_version) && buf_text(out, ",\"spec\":{");
	if (login->exec.wants_cluster) {
		ok = ok && buf_text(out, "\"cluster\":{\"server\":") && buf_json(out, login->server) &&
		     add_text(out, "tls-server-name", login->tls.server_name) &&
		     add_text(out, "proxy-url", login->tls.proxy_url);
		if (login->tls.is_insecure)
			ok = ok && buf_text(out, ",\"insecure-skip-tls-verify\":true");
		if (ca_pem.n > 0)
			ok = ok && buf_text(out, ",\"certificate-authority-data\":\"") && base64_encode(ca_pem, out) &&
			     buf_char(out, '"');
		ok = ok && buf_text(out, "},");
	}
	return ok && buf_text(out, "\"interactive\":false}}");
}

static bool pem_is_sound(const char *pem)
{
	return pem == NULL || strstr(pem, "-----BEGIN ") != NULL;
}

static bool answer_take(const json_t *json, const struct login_exec *exec, struct credential *out, struct err *err)
{
	const char *token = json_text_or(json, "status.token", "");
	const char *cert = json_text(json, "status.clientCertificateData");
	const char *key = json_text(json, "status.clientKeyData");
	const char *expires = json_text(json, "status.expirationTimestamp");
	struct wall until = { 0 };
	if (!text_eq(json_text(json, "kind"), "ExecCredential"))
		return fail(err, ERR_AUTH, "it printed something else than an ExecCredential");
	if (!text_eq(json_text(json, "apiVersion"), exec->api_version))
		return fail(err, ERR_AUTH, "it answered as %.80s, asked as %s",
			    json_text_or(json, "apiVersion", "nothing"), exec->api_version);
	if ((cert == NULL) != (key == NULL) || !pem_is_sound(cert) || !pem_is_sound(key))
		return fail(err, ERR_AUTH, "its certificate and key are not a pair of PEM texts");
	if (token[0] == '\0' && cert == NULL)
		return fail(err, ERR_AUTH, "it gave neither a token nor a certificate");
	if (token[0] != '\0' && !token_is_sound(str_of(token)))
		return fail(err, ERR_AUTH, "its token has spaces or control characters in it");
	if (expires != NULL && !wall_parse(str_of(expires), &until))
		return fail(err, ERR_AUTH, "its expirationTimestamp is not a time");
	*out = (struct credential){ .token = token[0] != '\0' ? xstrdup(token) : NULL,
				    .cert_pem = xstrdup(cert),
				    .key_pem = xstrdup(key),
				    .expires = until };
	return true;
}

bool exec_answer_read(const struct login_exec *exec, struct str output, struct credential *out, struct err *err)
{
	if (output.n > EXEC_OUTPUT_BYTES_MAX)
		return fail(err, ERR_LIMIT, "it printed more than %zu bytes", EXEC_OUTPUT_BYTES_MAX);
	json_t *json = json_parse(output, err);
	if (json == NULL)
		return false;
	bool ok = answer_take(json, exec, out, err);
	json_decref(json);
	return ok;
}
