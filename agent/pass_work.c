/* The pieces of work of a pass: from its plan to its processes, and back from those that died. */
#include "agent/pass_internal.h"

#include <stdlib.h>

void pass_work_free(struct piece_of_work *work)
{
	buffer_wipe(&work->item);
	free(work->place);
	free(work);
}

struct piece_of_work **pass_bucket(struct worker *w, uint64_t id)
{
	return &w->under_way[id & (WORK_BUCKETS - 1)];
}

struct piece_of_work *pass_take_work(struct worker *w, uint64_t id)
{
	for (struct piece_of_work **at = pass_bucket(w, id); *at; at = &(*at)->next) {
		struct piece_of_work *work = *at;

		if (work->id == id) {
			*at = work->next;
			return work;
		}
	}
	return NULL;
}

struct piece_of_work *pass_any_work(struct worker *w)
{
	for (size_t i = 0; i < WORK_BUCKETS; i++) {
		struct piece_of_work *work = w->under_way[i];

		if (work) {
			w->under_way[i] = work->next;
			return work;
		}
	}
	return NULL;
}

struct piece_of_work *pass_next_work(struct pass *p)
{
	struct piece_of_work *work = p->again;
	struct scan_item item = { 0 };
	struct why why = { 0 };
	enum err e;

	if (work) {
		p->again = work->next;
		return work;
	}
	if (p->plan_ended)
		return NULL;
	e = p->conf.scanner->next(p->plan, &item, &why);
	if (e != ERR_OK) {
		p->plan_ended = true;
		if (e != ERR_END)
			pass_fail(p, e, &why);
		return NULL;
	}
	work = calloc(1, sizeof(*work));
	if (!work) {
		free(item.place);
		buffer_fini(&item.item);
		p->plan_ended = true;
		pass_fail(p, ERR_MEMORY, NULL);
		return NULL;
	}
	work->id = ++p->next_work_id;
	work->place = item.place;
	work->item = item.item;
	return work;
}

enum err pass_send_work(struct worker *w, const struct piece_of_work *work)
{
	const struct work message = {
		.id = work->id, .place = slice_text(work->place), .item = buffer_bytes(&work->item)
	};
	struct buffer frame;
	enum err e;

	buffer_init(&frame, FRAME_BYTES_MAX);
	work_encode(&frame, &message);
	e = buffer_status(&frame);
	if (e == ERR_OK)
		e = child_send(w->child, MESSAGE_WORK, buffer_bytes(&frame));
	buffer_wipe(&frame);
	return e;
}
