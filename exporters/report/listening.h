/* What listens on this host, for those that show it: a row for each TLS server with its certificate, and the
 * sockets that speak none. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_LISTENING_H
#define LEAFWATCH_EXPORTERS_REPORT_LISTENING_H

#include "exporters/exporter.h"

#define LISTENING_NAME_BYTES 64

enum listening_cell {
	LISTENING_PLACE,
	LISTENING_PROCESS,
	LISTENING_UNIT,
	LISTENING_PROTOCOL,
	LISTENING_CLIENT,
	LISTENING_CERTIFICATE,
	LISTENING_LEFT,
	LISTENING_PROBLEMS,
	LISTENING_CELLS
};

struct listening_row {
	char *uri;                    /* owned */
	char *cells[LISTENING_CELLS]; /* owned */
	enum status status;           /* of its certificate */
	bool has_certificate;
	bool is_answer_bad;
	int64_t breaks;
	char *message; /* owned: what is newer on disk, or NULL */
};

struct listening_rows {
	const struct view *view;     /* borrowed */
	struct listening_row *items; /* owned */
	size_t count;
	size_t capacity;
};

/* A socket without TLS. */
struct listening_plain {
	uint16_t port;
	bool is_datagram;
	char name[LISTENING_NAME_BYTES]; /* of its process, or "" */
	char unit[LISTENING_NAME_BYTES]; /* of a UDP socket: systemd's, or "" */
};

struct listening_plains {
	struct listening_plain *items; /* owned */
	size_t count;
	size_t capacity;
	size_t sockets; /* with those of one port at several addresses */
	size_t unreachable;
	size_t datagrams; /* of UDP: not all were asked */
};

struct listening {
	struct listening_rows rows;     /* what breaks first stands first */
	struct listening_plains plains; /* by port */
};

/* Collects from the view; to be freed in any case. Each cell is a text, empty where there is nothing. */
enum err listening_collect(const struct view *view, struct listening *out) MUST_CHECK;
void listening_fini(struct listening *l);

#endif
