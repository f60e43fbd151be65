#include "core/ask.h"

const char *service_name(enum service service)
{
	switch (service) {
#define AS_CASE(id, name, ...)                                                                                         \
	case id:                                                                                                       \
		return name;
		SERVICES(AS_CASE)
#undef AS_CASE
	}
	return "?";
}
