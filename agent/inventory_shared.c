/* What is loaded from all rows when it is first asked for, and shared by who asks until rows change. */
#include "agent/inventory_internal.h"

#include <stdlib.h>

void shared_release(struct shared *s)
{
	if (!s || --s->users)
		return;
	s->kind->fini(s);
	free(s);
}

/* Who only reads cannot know when another process writes: nothing is kept for the next one then. */
static bool may_keep(const struct inventory *i)
{
	return i->store->lock_fd >= 0 || !i->store->path;
}

enum err shared_take(
	struct inventory *i, const struct shared_kind *kind, struct shared **out, struct why *why)
{
	struct shared **kept = &i->shared[kind->slot];
	struct shared *s = *kept;
	enum err e;

	if (s) {
		s->users++;
		*out = s;
		return ERR_OK;
	}
	s = calloc(1, kind->bytes);
	if (!s)
		return ERR_MEMORY;
	s->kind = kind;
	s->users = 1;
	e = kind->load(i, s, why);
	if (e != ERR_OK) {
		shared_release(s);
		return e;
	}
	if (may_keep(i)) {
		s->users++;
		*kept = s;
	}
	*out = s;
	return ERR_OK;
}

void shared_forget(struct inventory *i, enum shared_slot slot)
{
	shared_release(i->shared[slot]);
	i->shared[slot] = NULL;
}
