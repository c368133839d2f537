/* SPDX-License-Identifier: MIT */
#include "vmm/dev/console_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static const int deadly[] = {SIGHUP,  SIGINT, SIGQUIT, SIGTERM, SIGABRT,
			     SIGSEGV, SIGBUS, SIGILL,  SIGFPE};

static int raw_fd = -1; /* our own descriptor: the caller may close its own before exit() */
static volatile sig_atomic_t raw; /* set last, so that a signal never restores half a state */
static struct termios saved;

void uc_console_tty_restore(void)
{
	int err = errno;

	if (raw) {
		raw = 0;
		tcsetattr(raw_fd, TCSANOW, &saved);
	}
	errno = err;
}

/* SA_RESETHAND has put the default action back: the signal ends the process, as it should. */
static void on_deadly(int sig)
{
	uc_console_tty_restore();
	raise(sig);
}

static void catch_deadly(void)
{
	struct sigaction old, act = {.sa_handler = on_deadly, .sa_flags = (int)SA_RESETHAND};

	for (unsigned i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		if (!sigaction(deadly[i], NULL, &old) && old.sa_handler == SIG_DFL)
			sigaction(deadly[i], &act, NULL);
}

/*
 * Output processing stays on: the guest ends lines with CR LF, which it leaves as it is in
 * effect, and lines of this process' own stderr still start at the margin.
 */
static int set_raw(int fd)
{
	struct termios t = saved;

	cfmakeraw(&t);
	t.c_oflag = saved.c_oflag;
	return tcsetattr(fd, TCSANOW, &t) ? -errno : 0;
}

int uc_console_tty_raw(int fd)
{
	static bool registered;
	int rc;

	if (raw)
		return -EBUSY;
	if (raw_fd >= 0)
		close(raw_fd);
	raw_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (raw_fd < 0 || tcgetattr(raw_fd, &saved))
		return -errno;
	if (!registered && atexit(uc_console_tty_restore))
		return -ENOMEM;
	registered = true;
	raw = 1;
	catch_deadly();
	rc = set_raw(raw_fd);
	if (rc)
		uc_console_tty_restore();
	return rc;
}
