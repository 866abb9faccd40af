/* A TLS server of ill will behind a real library: what only a finished session can do. One process a
 * client. `tls_peer CERTIFICATE KEY MODE [CAS]` prints its port. */
#include <gnutls/gnutls.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENT_S 60 /* then the process of a client ends */
#define BACKLOG 1024

struct server {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	gnutls_datum_t ticket_key;
	const struct mode *mode;
};

struct mode {
	const char *name;
	const char *priority;
	unsigned flags;                /* of gnutls_init */
	int (*step)(gnutls_session_t); /* again and again after Finished; below 0 ends it */
	bool hides_cas_in_13;
};

static int tickets(gnutls_session_t s)
{
	return gnutls_session_ticket_send(s, 1, 0);
}

static int key_updates(gnutls_session_t s)
{
	return gnutls_session_key_update(s, 0);
}

/* The client has to answer each by one of its own. */
static int key_updates_both(gnutls_session_t s)
{
	return gnutls_session_key_update(s, GNUTLS_KU_PEER);
}

static int hello_requests(gnutls_session_t s)
{
	return gnutls_rehandshake(s);
}

static int renegotiations(gnutls_session_t s)
{
	int ret = gnutls_rehandshake(s);

	if (ret >= 0)
		ret = gnutls_handshake(s);
	/* What the client had asked meanwhile. */
	if (ret == GNUTLS_E_GOT_APPLICATION_DATA) {
		char bytes[4096];

		return (int)gnutls_record_recv(s, bytes, sizeof(bytes));
	}
	return ret;
}

/* RFC 8446 4.6.2 */
static int certificate_requests(gnutls_session_t s)
{
	char bytes[4096];
	int ret = gnutls_reauth(s, 0);

	if (ret == GNUTLS_E_GOT_APPLICATION_DATA)
		return (int)gnutls_record_recv(s, bytes, sizeof(bytes));
	return ret == GNUTLS_E_CERTIFICATE_REQUIRED || ret == GNUTLS_E_NO_CERTIFICATE_FOUND ? 0
											    : ret;
}

static int warnings(gnutls_session_t s)
{
	return gnutls_alert_send(s, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
}

/* Records of nothing but padding (RFC 8446 5.4). */
static int padding(gnutls_session_t s)
{
	return (int)gnutls_record_send2(s, NULL, 0, 1, 0);
}

static int farewell(gnutls_session_t s)
{
	(void)gnutls_bye(s, GNUTLS_SHUT_WR);
	return -1;
}

#define ONLY_12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define ONLY_13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
static const struct mode modes[] = {
	{ "tickets", ONLY_13, 0, tickets, false },
	{ "key-updates", ONLY_13, 0, key_updates, false },
	{ "key-updates-both", ONLY_13, 0, key_updates_both, false },
	{ "hello-requests", ONLY_12, 0, hello_requests, false },
	{ "renegotiations", ONLY_12, 0, renegotiations, false },
	{ "certificate-requests", ONLY_13, GNUTLS_POST_HANDSHAKE_AUTH, certificate_requests,
		false },
	{ "warnings", ONLY_12, 0, warnings, false },
	{ "padding", ONLY_13, 0, padding, false },
	{ "cas-in-12-only", "NORMAL", 0, farewell, true },
};

static int on_hello(gnutls_session_t s)
{
	const struct server *server = gnutls_session_get_ptr(s);

	if (server->mode->hides_cas_in_13 && gnutls_protocol_get_version(s) == GNUTLS_TLS1_3)
		gnutls_certificate_send_x509_rdn_sequence(s, 1);
	return 0;
}

static void serve(struct server *server, int fd)
{
	static const char http[] = "http/1.1";
	const gnutls_datum_t alpn = { (unsigned char *)(uintptr_t)http, sizeof(http) - 1 };
	gnutls_session_t s;
	int ret;

	if (gnutls_init(&s, GNUTLS_SERVER | server->mode->flags) < 0)
		return;
	gnutls_session_set_ptr(s, server);
	gnutls_priority_set(s, server->priority);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, server->credentials);
	gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUEST);
	gnutls_session_ticket_enable_server(s, &server->ticket_key);
	/* So that it is asked something, and what comes then is read. */
	gnutls_alpn_set_protocols(s, &alpn, 1, 0);
	gnutls_handshake_set_post_client_hello_function(s, on_hello);
	gnutls_transport_set_int(s, fd);
	do {
		ret = gnutls_handshake(s);
	} while (ret < 0 && !gnutls_error_is_fatal(ret));
	while (ret >= 0 || !gnutls_error_is_fatal(ret))
		ret = server->mode->step(s);
	gnutls_deinit(s);
}

static int open_listener(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) != 0 || listen(fd, BACKLOG) != 0 ||
		getsockname(fd, (struct sockaddr *)&a, &size) != 0)
		return -1;
	printf("%u\n", ntohs(a.sin_port));
	(void)fflush(stdout);
	return fd;
}

static bool set_up(struct server *server, char **args, int count)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, args[3]) == 0)
			server->mode = &modes[i];
	if (!server->mode || gnutls_session_ticket_key_generate(&server->ticket_key) < 0 ||
		gnutls_certificate_allocate_credentials(&server->credentials) < 0 ||
		gnutls_certificate_set_x509_key_file(
			server->credentials, args[1], args[2], GNUTLS_X509_FMT_PEM) < 0 ||
		gnutls_priority_init(&server->priority, server->mode->priority, NULL) < 0)
		return false;
	return count < 5 || gnutls_certificate_set_x509_trust_file(
				    server->credentials, args[4], GNUTLS_X509_FMT_PEM) > 0;
}

int main(int count, char **args)
{
	struct server server = { 0 };
	int listener;

	if (count < 4 || !set_up(&server, args, count))
		return 2;
	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	listener = open_listener();
	while (listener >= 0) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0 && fork() == 0) {
			(void)close(listener);
			(void)alarm(CLIENT_S);
			serve(&server, fd);
			_exit(0);
		}
		if (fd >= 0)
			(void)close(fd);
	}
	return 1;
}
