/* TLS from the first byte, with whatever inside; where nothing else is known, HTTP is asked. */
#include "scanners/network/starttls/http.h"
#include "scanners/network/starttls/parts.h"

const struct protocol protocol_tls = {
	.name = "tls",
	.port = 443,
	/* DNS, MQTT, AMQP, Redis, RadSec, syslog: no web servers, and no question known. */
	.ports = { 853, 8883, 5671, 6380, 2083, 6514 },
	.question = &http_question,
};
