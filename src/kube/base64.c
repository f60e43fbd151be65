#include "kube/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
	return at != NULL ? (int)(at - alphabet) : -1;
}

/* Four characters, of which the last PADS are '='. */
static bool decode_group(const int values[4], int pads, struct buf *out)
{
	uint32_t bits = 0;
	for (int i = 0; i < 4; i++)
		bits = bits << 6 | (uint32_t)values[i];
	const char bytes[3] = { (char)(bits >> 16 & 0xff), (char)(bits >> 8 & 0xff), (char)(bits & 0xff) };
	if ((pads == 1 && bytes[2] != 0) || (pads == 2 && (bytes[2] != 0 || bytes[1] != 0)))
		return false; /* bits that would be lost */
	return buf_add(out, bytes, (size_t)(3 - pads));
}

bool base64_decode(struct str text, struct buf *out)
{
	int values[4] = { 0 };
	int have = 0;
	int pads = 0;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (c == '=' && (have == 2 || have == 3)) {
			pads++;
			values[have++] = 0;
		} else if (value_of(c) >= 0 && pads == 0) {
			values[have++] = value_of(c);
		} else {
			return false;
		}
		if (have < 4)
			continue;
		if (!decode_group(values, pads, out))
			return false;
		if (pads == 0)
			have = 0;
		else
			have = 5; /* the end: anything more is refused above, as no place is left for it */
	}
	return have == 0 || have == 5;
}

bool base64_encode(struct str bytes, struct buf *out)
{
	bool ok = true;
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t bits = (uint32_t)(unsigned char)bytes.p[i] << 16;
		if (left > 1)
			bits |= (uint32_t)(unsigned char)bytes.p[i + 1] << 8;
		if (left > 2)
			bits |= (unsigned char)bytes.p[i + 2];
		const char group[4] = { alphabet[bits >> 18 & 63], alphabet[bits >> 12 & 63],
					left > 1 ? alphabet[bits >> 6 & 63] : '=',
					left > 2 ? alphabet[bits & 63] : '=' };
		ok = buf_add(out, group, sizeof group) && ok;
	}
	return ok;
}
