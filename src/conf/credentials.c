/* What Keystone needs to know before it can be asked. */
#include <stddef.h>

#include "conf/conf.h"

static bool has(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool has_domain(const struct conf_openstack *os, const char *id, const char *name)
{
	return has(id) || has(name) || has(os->domain_id) || has(os->domain_name);
}

static bool check_user(const struct conf_openstack *os, struct err *err)
{
	if (has(os->user_id))
		return true;
	if (!has(os->username))
		return fail(err, ERR_INPUT,
			    "credentials are missing: user-id (or username and its domain) and "
			    "password, or application-credential-id and -secret, or token");
	if (!has_domain(os, os->user_domain_id, os->user_domain_name))
		return fail(err, ERR_INPUT, "the user's domain is missing: user-domain-name or user-domain-id");
	return true;
}

static bool check_scope(const struct conf_openstack *os, struct err *err)
{
	if (has(os->trust_id) || has(os->project_id))
		return true;
	if (!has(os->project_name))
		return fail(err, ERR_INPUT, "the project is missing: project-id, project-name or trust-id");
	if (!has_domain(os, os->project_domain_id, os->project_domain_name))
		return fail(err, ERR_INPUT,
			    "the project's domain is missing: project-domain-name or project-domain-id");
	return true;
}

static bool check_application(const struct conf_openstack *os, struct err *err)
{
	if (!has(os->application_credential_secret))
		return fail(err, ERR_INPUT, "application-credential-secret is missing");
	if (has(os->application_credential_id))
		return true;
	if (!has(os->application_credential_name))
		return fail(err, ERR_INPUT, "application-credential-id is missing");
	if (!has(os->user_id) && !has(os->username))
		return fail(err, ERR_INPUT,
			    "application-credential-name needs its user: user-id, or username and its domain");
	return check_user(os, err);
}

static bool check_trustee(const struct conf_openstack *os, struct err *err)
{
	if (!has(os->trustee_id))
		return fail(err, ERR_INPUT, "trustee-id is missing");
	if (!has(os->trustee_password))
		return fail(err, ERR_INPUT, "trustee-password is missing");
	if (!has(os->trust_id))
		return fail(err, ERR_INPUT, "trust-id is missing: a trustee acts by a trust");
	return true;
}

bool conf_credentials(const struct conf_openstack *os, struct err *err)
{
	if (!has(os->auth_url))
		return fail(err, ERR_INPUT, "auth-url is missing: the address of Keystone");
	if (has(os->application_credential_id) || has(os->application_credential_name) ||
	    has(os->application_credential_secret))
		return check_application(os, err);
	if (has(os->token))
		return check_scope(os, err);
	if (has(os->trustee_id) || has(os->trustee_password))
		return check_trustee(os, err);
	if (!check_user(os, err))
		return false;
	if (!has(os->password))
		return fail(err, ERR_INPUT, "password is missing");
	return check_scope(os, err);
}
