/* Base64 (RFC 4648, with padding), as kubeconfigs carry certificates. */
#ifndef MAH_KUBE_BASE64_H
#define MAH_KUBE_BASE64_H

#include <stdbool.h>

#include "base/str.h"

/* Appends the bytes that TEXT stands for. White space inside is skipped; anything else, and a wrong padding: false. */
bool base64_decode(struct str text, struct buf *out);
bool base64_encode(struct str bytes, struct buf *out);

#endif
