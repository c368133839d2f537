/* SPDX-License-Identifier: MIT */
/*
 * ctl-machine [NAME]: such a machine with its control socket, until it is told to quit or gets
 * SIGTERM. It says its name when it listens.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "machine.h"

static void on_signal(void *ctx, uint32_t events)
{
	(void)events;
	uc_vm_stop(ctx, UC_VM_QUIT);
}

static int serve(struct machine *m, struct uc_ctl *ctl)
{
	struct uc_source signals = {.ready = on_signal, .ctx = &m->vm};
	sigset_t set;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC);
	rc = uc_control_watch(&m->control, &signals, EPOLLIN);
	if (!rc)
		rc = uc_ctl_attach(ctl, &m->control, &m->vm);
	if (!rc && puts(uc_ctl_name(ctl)) != EOF)
		fflush(stdout);
	while (!rc && m->vm.end == UC_VM_RUNNING)
		rc = uc_control_step(&m->control);
	uc_ctl_detach(ctl);
	close(signals.fd);
	return rc;
}

int main(int argc, char **argv)
{
	static struct machine machine;
	struct uc_diag diag = {0};
	struct uc_ctl *ctl;
	int rc = uc_ctl_open(&ctl, argc > 1 ? argv[1] : NULL, &diag);

	if (rc) {
		fprintf(stderr, "%s\n", diag.text);
		return diag.status;
	}
	rc = machine_open(&machine, uc_ctl_name(ctl), 4);
	if (!rc)
		rc = serve(&machine, ctl);
	uc_ctl_close(ctl);
	machine_close(&machine);
	if (rc)
		fprintf(stderr, "ctl-machine: %s\n", strerror(-rc));
	return rc ? UC_EXIT_INTERNAL : UC_EXIT_OK;
}
