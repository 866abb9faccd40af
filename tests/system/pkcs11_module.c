/* A PKCS#11 module for tests: SoftHSM's, with calls that hang, crash, are counted, or try what is forbidden. What it
 * does stands in the file that LEAFWATCH_TEST_MODULE names: words, then a folder that it may write. */
#include <p11-kit/pkcs11.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static CK_FUNCTION_LIST changed;
static CK_FUNCTION_LIST *real;
static char word[64];
static char folder[512];

static void read_orders(void)
{
	const char *path = getenv("LEAFWATCH_TEST_MODULE");
	FILE *file = path ? fopen(path, "r") : NULL;

	word[0] = 0;
	if (!file)
		return;
	if (fscanf(file, "%63s %511s", word, folder) < 1)
		word[0] = 0;
	(void)fclose(file);
}

/* How often it was noted. */
static long noted(const char *name)
{
	char path[1024];
	struct stat status;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return stat(path, &status) == 0 ? (long)status.st_size : 0;
}

static void note(const char *name, const char *text)
{
	char path[1024];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	(void)close(fd);
}

static void try_what_is_forbidden(void)
{
	char text[1024], path[1024];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/../outside", folder);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	(void)snprintf(text, sizeof(text), "write %d\n", fd < 0 ? errno : 0);
	note("tried", text);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)snprintf(text, sizeof(text), "inet %d\n", fd < 0 ? errno : 0);
	note("tried", text);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	(void)snprintf(text, sizeof(text), "inet6 %d\n", fd < 0 ? errno : 0);
	note("tried", text);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	(void)snprintf(text, sizeof(text), "unix %d\n", fd < 0 ? errno : 0);
	note("tried", text);
	(void)execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
	(void)snprintf(text, sizeof(text), "exec %d\n", errno);
	note("tried", text);
	/* What it prints belongs nowhere. */
	(void)fprintf(stderr, "module says something\n");
}

static CK_RV find(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	read_orders();
	if (strcmp(word, "hang") == 0)
		for (;;)
			(void)pause();
	if (strcmp(word, "crash") == 0)
		abort();
	if (strcmp(word, "empty") == 0) {
		CK_ATTRIBUTE none = { CKA_LABEL, "no such thing", 13 };

		note("lists", "x");
		if (noted("lists") < 3)
			return real->C_FindObjectsInit(session, &none, 1);
	}
	if (strcmp(word, "spin") == 0)
		for (volatile unsigned n = 0;; n++)
			;
	return real->C_FindObjectsInit(session, attributes, count);
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG size)
{
	read_orders();
	note("logins", "x");
	if (strcmp(word, "unclear") == 0)
		return CKR_FUNCTION_FAILED;
	/* What SoftHSM says while another program logs in. */
	if (strcmp(word, "busy") == 0 && noted("logins") < 3)
		return CKR_USER_PIN_NOT_INITIALIZED;
	if (strcmp(word, "locked") == 0)
		return CKR_PIN_LOCKED;
	return real->C_Login(session, user, pin, size);
}

static CK_RV sign(
	CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG size, CK_BYTE *out, CK_ULONG *out_size)
{
	read_orders();
	/* Without a place for it the size is asked for. */
	if (!out)
		return real->C_Sign(session, data, size, out, out_size);
	note("signatures", "x");
	if (strcmp(word, "sign-hang") == 0)
		for (;;)
			(void)pause();
	if (strcmp(word, "sign-crash") == 0)
		abort();
	if (strcmp(word, "sign-slow") == 0)
		(void)usleep(300 * 1000);
	return real->C_Sign(session, data, size, out, out_size);
}

static CK_RV info(CK_SLOT_ID slot, CK_TOKEN_INFO *out)
{
	CK_RV rv = real->C_GetTokenInfo(slot, out);

	read_orders();
	if (strcmp(word, "gone") == 0 && noted("starts") < 3)
		return CKR_TOKEN_NOT_PRESENT;
	if (strcmp(word, "final") == 0)
		out->flags |= CKF_USER_PIN_FINAL_TRY;
	return rv;
}

static CK_RV initialize(void *arguments)
{
	read_orders();
	note("starts", "x");
	if (strcmp(word, "dead") == 0)
		return CKR_DEVICE_ERROR;
	if (strcmp(word, "forbidden") == 0)
		try_what_is_forbidden();
	return real->C_Initialize(arguments);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	void *library = dlopen(getenv("LEAFWATCH_TEST_SOFTHSM"), RTLD_NOW);
	CK_C_GetFunctionList get = NULL;

	if (library)
		*(void **)&get = dlsym(library, "C_GetFunctionList");
	if (!get || get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	changed = *real;
	changed.C_Initialize = initialize;
	changed.C_FindObjectsInit = find;
	changed.C_Login = login;
	changed.C_Sign = sign;
	changed.C_GetTokenInfo = info;
	changed.C_GetFunctionList = C_GetFunctionList;
	*out = &changed;
	return CKR_OK;
}
