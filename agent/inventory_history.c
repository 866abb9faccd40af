/* What is remembered of an endpoint beyond its last look. */
#include "agent/inventory_internal.h"

#include "agent/base/log.h"
#include "agent/certificate/mtls_state.h"

#include <string.h>

/* A sweep meets many that never asked for anything: they have no history. */
static bool is_plain(const struct endpoint_held *held, const struct endpoint_record *seen)
{
	return !held->history.size && !endpoint_asks(seen);
}

static bool is_same(struct slice a, struct slice b)
{
	return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

enum err inventory_history_look(struct inventory *i, const struct endpoint_held *held,
	const struct endpoint_record *seen, int64_t now)
{
	struct mtls_state state = mtls_state_none();
	struct record before = { 0 };
	bool is_known = false;
	enum err e = ERR_OK;

	if (is_plain(held, seen))
		return ERR_OK;
	if (held->history.size && mtls_state_decode(held->history, &state) != ERR_OK) {
		log_warn("what an endpoint asked for before cannot be read and is forgotten");
	} else if (held->history.size && mtls_state_is_quiet(&state) &&
		   is_same(held->detail, buffer_bytes(&i->detail))) {
		buffer_slice(&i->history, held->history);
		goto out;
	}
	/* What another layout wrote is as good as nothing. */
	is_known = held->detail.size && record_decode(held->detail, &before) == ERR_OK;
	e = mtls_state_look(&state,
		is_known && before.kind == RECORD_ENDPOINT ? &before.endpoint : NULL, seen, now);
	if (e == ERR_OK)
		mtls_state_encode(&i->history, &state);
	if (is_known)
		record_fini(&before);
out:
	mtls_state_fini(&state);
	return e;
}
