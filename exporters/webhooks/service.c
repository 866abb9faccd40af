/* The table of chat services. */
#include "exporters/webhooks/service.h"

#define SERVICE(name, word) extern const struct service name;
#include "exporters/webhooks/services.def"
#undef SERVICE

const struct service *const services[] = {
#define SERVICE(name, word) &name,
#include "exporters/webhooks/services.def"
#undef SERVICE
};
const size_t services_count = sizeof(services) / sizeof(services[0]);

const char *const service_words[] = {
#define SERVICE(name, word) word,
#include "exporters/webhooks/services.def"
#undef SERVICE
	NULL,
};
