/* Java keystores and their passwords, by keys that belong together. */
#include "scanners/formats/java_stores.h"

#include <ctype.h>
#include <stdlib.h>

#define OBFUSCATED "OBF:"
#define FILE_SCHEME "file:"
#define SETTINGS_STEP 16

/* The last parts of keys that belong together when what stands before is the same; in lower case, without "-"
 * and "_". */
static const struct kind {
	const char *file, *password, *key_password, *password_file;
	enum reference_role role;
	bool has_base; /* relative names are meant from the configuration's folder; else from who knows where */
} kinds[] = {
	/* kafka.apache.org, "SSL configs"; ZooKeeper, "Encryption, Authentication, Authorization Options" */
	{ "keystore.location", "keystore.password", "key.password", "keystore.passwordpath",
		REFERENCE_KEYSTORE, false },
	{ "truststore.location", "truststore.password", NULL, "truststore.passwordpath",
		REFERENCE_TRUSTSTORE, false },
	/* Elasticsearch, "Security settings": xpack.security.http.ssl.keystore.path */
	{ "keystore.path", "keystore.password", "keystore.keypassword", NULL, REFERENCE_KEYSTORE,
		true },
	{ "truststore.path", "truststore.password", NULL, NULL, REFERENCE_TRUSTSTORE, true },
	/* OpenSearch, "Configuring TLS certificates": plugins.security.ssl.http.keystore_filepath */
	{ "keystorefilepath", "keystorepassword", "keystorekeypassword", NULL, REFERENCE_KEYSTORE,
		true },
	{ "truststorefilepath", "truststorepassword", NULL, NULL, REFERENCE_TRUSTSTORE, true },
	/* Jetty's modules ssl and ssl-context: jetty.sslContext.keyStorePath */
	{ "keystorepath", "keystorepassword", "keymanagerpassword", NULL, REFERENCE_KEYSTORE,
		true },
	{ "truststorepath", "truststorepassword", NULL, NULL, REFERENCE_TRUSTSTORE, true },
	/* Spring Boot, "Common Application Properties": server.ssl.key-store */
	{ "ssl.keystore", "ssl.keystorepassword", "ssl.keypassword", NULL, REFERENCE_KEYSTORE,
		false },
	{ "ssl.truststore", "ssl.truststorepassword", NULL, NULL, REFERENCE_TRUSTSTORE, false },
	/* cassandra.yaml: server_encryption_options and client_encryption_options */
	{ "encryptionoptions.keystore", "encryptionoptions.keystorepassword", NULL, NULL,
		REFERENCE_KEYSTORE, false },
	{ "encryptionoptions.truststore", "encryptionoptions.truststorepassword", NULL, NULL,
		REFERENCE_TRUSTSTORE, false },
};
#define KINDS_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* Does `key` end in these parts? Then *prefix is the length of what stands before. */
static bool ends_in(const char *key, const char *parts, size_t *prefix)
{
	size_t size = strlen(key), tail = parts ? strlen(parts) : 0;

	if (!parts || size < tail || strcmp(key + size - tail, parts) != 0 ||
		(size > tail && key[size - tail - 1] != '.'))
		return false;
	*prefix = size - tail;
	return true;
}

static bool is_of_interest(const char *key)
{
	size_t prefix;

	for (size_t i = 0; i < KINDS_COUNT; i++)
		if (ends_in(key, kinds[i].file, &prefix) ||
			ends_in(key, kinds[i].password, &prefix) ||
			ends_in(key, kinds[i].key_password, &prefix) ||
			ends_in(key, kinds[i].password_file, &prefix))
			return true;
	return false;
}

void java_stores_take(struct java_stores *s, struct slice key, struct slice directive,
	struct slice value, uint32_t line)
{
	struct java_setting setting = { .directive = directive, .value = value, .line = line };
	size_t size = 0;

	for (size_t i = 0; i < key.size; i++) {
		if (key.data[i] == '-' || key.data[i] == '_')
			continue;
		if (size == JAVA_KEY_BYTES_MAX || !key.data[i])
			return;
		setting.key[size++] = (char)tolower(key.data[i]);
	}
	if (!value.size || !is_of_interest(setting.key))
		return;
	if (s->count >= (size_t)format_limits_of(s->config->in)->java_settings) {
		config_limited(s->config, "it has more settings of keystores than are kept",
			"java_settings");
		return;
	}
	if (s->count == s->capacity) {
		size_t room = 2 * s->capacity + SETTINGS_STEP;
		struct java_setting *settings = reallocarray(s->settings, room, sizeof(*settings));

		if (!settings) {
			s->config->status = ERR_MEMORY;
			return;
		}
		s->settings = settings;
		s->capacity = room;
	}
	s->settings[s->count++] = setting;
}

/* The value of the setting with this prefix and these last parts; the last one counts. */
static struct slice beside(
	const struct java_stores *s, const char *key, size_t prefix, const char *parts)
{
	struct slice value = { .size = 0 };
	size_t own;

	for (size_t i = 0; i < s->count; i++)
		if (ends_in(s->settings[i].key, parts, &own) && own == prefix &&
			memcmp(s->settings[i].key, key, prefix) == 0)
			value = s->settings[i].value;
	return value;
}

static unsigned digit_of(uint8_t b)
{
	return isdigit(b) ? (unsigned)b - '0' : islower(b) ? (unsigned)b - 'a' + 10 : 36;
}

/* Jetty's org.eclipse.jetty.util.security.Password: four digits of base 36 for each byte, which stand for it and
 * the one at the other end; behind a "U", for it alone. */
static void put_plain(struct buffer *out, struct slice text)
{
	while (text.size) {
		bool is_alone = text.data[0] == 'U';
		unsigned number = 0;

		text = slice_after(text, is_alone);
		for (size_t i = 0; i < 4; i++) {
			unsigned digit = i < text.size ? digit_of(text.data[i]) : 36;

			if (digit == 36) {
				buffer_clear(out);
				return;
			}
			number = number * 36 + digit;
		}
		buffer_byte(out, (uint8_t)(is_alone ? number >> 8
						    : (number / 256 + number % 256 - 254) / 2));
		text = slice_after(text, 4);
	}
}

/* java.util.Properties.load: a backslash escapes what follows, "\t" and the like. */
static void put_unescaped(struct buffer *out, struct slice text)
{
	static const char from[] = "tnrf", to[] = "\t\n\r\f";

	for (size_t i = 0; i < text.size; i++) {
		uint8_t b = text.data[i];
		const char *known;

		if (b == '\\' && i + 1 < text.size) {
			b = text.data[++i];
			known = b ? strchr(from, b) : NULL;
			b = known ? (uint8_t)to[known - from] : b;
		}
		buffer_byte(out, b);
	}
}

static void put_value(const struct java_stores *s, struct buffer *out, struct slice value)
{
	/* "${env:X}" and the like are others' to resolve. */
	if (slice_starts(value, "${", 2))
		return;
	if (slice_starts(value, OBFUSCATED, strlen(OBFUSCATED)))
		put_plain(out, slice_after(value, strlen(OBFUSCATED)));
	else if (s->has_escapes)
		put_unescaped(out, value);
	else
		buffer_slice(out, value);
}

static struct slice without_scheme(struct slice file)
{
	if (slice_starts(file, FILE_SCHEME, strlen(FILE_SCHEME)))
		file = slice_after(file, strlen(FILE_SCHEME));
	while (slice_starts(file, "//", 2))
		file = slice_after(file, 1);
	return file;
}

static void tell(struct java_stores *s, const struct java_setting *setting, const struct kind *k,
	size_t prefix)
{
	struct buffer texts[3];
	struct slice values[] = { beside(s, setting->key, prefix, k->password),
		beside(s, setting->key, prefix, k->key_password), setting->value };
	struct draft d = { .role = k->role,
		.directive = setting->directive,
		.line = setting->line,
		.password_file =
			without_scheme(beside(s, setting->key, prefix, k->password_file)) };
	bool is_whole = true;

	for (size_t i = 0; i < 3; i++) {
		buffer_init(&texts[i], CONFIG_WORD_BYTES_MAX);
		put_value(s, &texts[i], values[i]);
		is_whole = is_whole && buffer_status(&texts[i]) == ERR_OK;
	}
	d.passwords[0] = buffer_bytes(&texts[0]);
	d.passwords[1] = buffer_bytes(&texts[1]);
	d.file = without_scheme(buffer_bytes(&texts[2]));
	if (is_whole && d.file.size && (k->has_base || d.file.data[0] == '/'))
		config_add(s->config, &d);
	for (size_t i = 0; i < 3; i++)
		buffer_wipe(&texts[i]);
}

void java_stores_end(struct java_stores *s)
{
	size_t prefix;

	for (size_t i = 0; i < s->count; i++)
		for (size_t k = 0; k < KINDS_COUNT; k++)
			if (ends_in(s->settings[i].key, kinds[k].file, &prefix)) {
				tell(s, &s->settings[i], &kinds[k], prefix);
				break;
			}
	free(s->settings);
	s->settings = NULL;
	s->count = 0;
}
