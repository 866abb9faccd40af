/* Settings that name a Java keystore and its password under keys that belong together, as Kafka, ZooKeeper,
 * Spring, Jetty, Elasticsearch, OpenSearch and Cassandra have them in properties or YAML. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_JAVA_STORES_H
#define LEAFWATCH_SCANNERS_FORMATS_JAVA_STORES_H

#include "scanners/formats/config.h"

#define JAVA_KEY_BYTES_MAX 256

struct java_setting {
	char key[JAVA_KEY_BYTES_MAX + 1]; /* in lower case, without "-" and "_" */
	struct slice directive;
	struct slice value; /* borrowed from the text */
	uint32_t line;
};

/* Starts as { .config }. */
struct java_stores {
	struct config *config;
	struct java_setting *settings; /* owned */
	size_t count;
	size_t capacity;
	bool has_escapes; /* values are written as java.util.Properties reads them */
};

/* A setting by its whole key, "server.ssl.key-store", which the text writes as `directive` (borrowed, as is the
 * value); what is of no interest is not kept. */
void java_stores_take(struct java_stores *s, struct slice key, struct slice directive,
	struct slice value, uint32_t line);
/* Adds the references of all keystores named, and forgets the settings. */
void java_stores_end(struct java_stores *s);

#endif
