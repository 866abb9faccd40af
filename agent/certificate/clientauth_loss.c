/* The table of public CAs that issue no clientAuth any more. */
#include "agent/certificate/clientauth_loss.h"

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/certificate/name_key.h"
#include "agent/certificate/record.h"

#include <stdio.h>
#include <string.h>

#define FOLDED_BYTES_MAX (4 * RECORD_TEXT_BYTES_MAX)
#define ORGANIZATION_BYTES_MAX 128

static const struct entry {
	const char *organization;
	const char *who;
	int year;
	unsigned month;
	unsigned day;
} entries[] = {
#define CLIENTAUTH_LOSS(organization, who, year, month, day) \
	{ organization, who, year, month, day },
#include "agent/certificate/clientauth_loss.def"
#undef CLIENTAUTH_LOSS
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

#define DAY_S INT64_C(86400)

static bool is_separator(char c)
{
	return c == ',' || c == '+';
}

/* Does the folded name hold the folded attribute, whole? */
static bool has_attribute(const char *name, const char *attribute)
{
	size_t size = strlen(attribute);

	for (const char *at = strstr(name, attribute); at; at = strstr(at + 1, attribute)) {
		bool starts =
			at == name || (is_separator(at[-1]) && (at - name < 2 || at[-2] != '\\'));

		if (starts && (!at[size] || is_separator(at[size])))
			return true;
	}
	return false;
}

static enum err is_of(const char *folded, const char *organization, bool *out)
{
	char text[ORGANIZATION_BYTES_MAX];
	struct buffer attribute;
	enum err e;

	(void)snprintf(text, sizeof(text), "O=%s", organization);
	buffer_init(&attribute, FOLDED_BYTES_MAX);
	name_fold(text, &attribute);
	e = buffer_status(&attribute);
	if (e == ERR_OK)
		*out = has_attribute(folded, buffer_string(&attribute));
	buffer_fini(&attribute);
	return e;
}

enum err clientauth_loss_of(const char *issuer, struct clientauth_loss *out)
{
	const struct entry *found = NULL;
	struct buffer folded;
	enum err e;

	buffer_init(&folded, FOLDED_BYTES_MAX);
	name_fold(issuer, &folded);
	e = buffer_status(&folded);
	for (size_t i = 0; e == ERR_OK && !found && i < ENTRIES; i++) {
		bool is_it = !entries[i].organization;

		if (!is_it)
			e = is_of(buffer_string(&folded), entries[i].organization, &is_it);
		found = is_it ? &entries[i] : NULL;
	}
	buffer_fini(&folded);
	if (e != ERR_OK || !found)
		return e == ERR_OK ? ERR_NOT_FOUND : e;
	*out = (struct clientauth_loss){ .who = found->who,
		.is_of_all = !found->organization,
		.since = time_days_from_civil(found->year, found->month, found->day) * DAY_S };
	return ERR_OK;
}
