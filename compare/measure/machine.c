/* SPDX-License-Identifier: MIT */
#include "compare/measure/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compare/measure/host.h"

/* What a sound guest never prints. */
static const char *const bad_words[] = {
	"WARNING:",
	"BUG:",
	"Oops",
	"Call Trace",
	"soft lockup",
	"hard LOCKUP",
	"rcu_sched",
	"nobody cared",
	"blocked for more than",
	"Dropping pending event",
	"Kernel panic",
	NULL,
};

/* ---- its console ---- */

static void note_line(struct uc_machine *m, const char *line)
{
	if (strstr(line, "compare: ready") || strstr(line, "compare: competes"))
		__atomic_store_n(&m->ready, 1, __ATOMIC_RELEASE);
	if (strstr(line, "compare: FAILED"))
		__atomic_store_n(&m->failed, 1, __ATOMIC_RELEASE);
	if (line[0])
		snprintf(m->last, sizeof(m->last), "%.255s", line);
	for (int i = 0; bad_words[i]; i++) {
		if (!strstr(line, bad_words[i]) || m->nr_problems == UC_MACHINE_PROBLEMS)
			continue;
		snprintf(m->problems[m->nr_problems++], sizeof(m->problems[0]), "%.39s: %.110s",
			 m->name, line);
		return;
	}
}

static void *read_console(void *arg)
{
	struct uc_machine *m = arg;
	char line[1024];
	FILE *console = fdopen(m->console, "r");

	while (console && fgets(line, sizeof(line), console)) {
		line[strcspn(line, "\r\n")] = '\0';
		note_line(m, line);
	}
	if (console)
		fclose(console);
	return NULL;
}

/* ---- the process ---- */

static void wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void __attribute__((noreturn))
exec_run(const struct uc_machine *m, const struct uc_machine_config *config, int console)
{
	const struct uc_compare_config *compare = config->compare;
	char cpus[16], memory[32], append[256], slice[16], boost[16];
	const char *argv[] = {
		"upcall",	 "run",		"--kernel",
		compare->kernel, "--initrd",	compare->initrd,
		"--cpus",	 cpus,		"--memory",
		memory,		 "--append",	append,
		"--name",	 m->name,	"--policy",
		"pinned",	 "--net",	config->address ? "tap=" UC_MACHINE_TAP : "none",
		"--slice",	 slice,		"--boost",
		boost,		 "--no-reboot", "--trace",
		compare->trace,	 NULL};

	snprintf(slice, sizeof(slice), "%u", compare->slice_ms);
	snprintf(boost, sizeof(boost), "%u", compare->boost_us);
	snprintf(cpus, sizeof(cpus), "%u", compare->vcpus);
	snprintf(memory, sizeof(memory), "%lluM",
		 (unsigned long long)(compare->memory_bytes >> 20));
	snprintf(append, sizeof(append), "console=hvc0 upcall.compare=%s upcall.address=%s",
		 config->role, config->address ? config->address : "");
	/* The last option, of the target only. */
	if (!config->address || !compare->trace)
		argv[sizeof(argv) / sizeof(argv[0]) - 3] = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
	dup2(console, STDOUT_FILENO);
	dup2(console, STDERR_FILENO);
	execv("/proc/self/exe", (char **)argv);
	_exit(127);
}

/* Signals that come meanwhile wait: the process is to get them after its exec, or end by them. */
static int start_process(struct uc_machine *m, const struct uc_machine_config *config,
			 const int pair[2])
{
	sigset_t old;
	int rc;

	uc_host_hold_signals(&old);
	m->pid = fork();
	if (!m->pid) {
		uc_host_default_signals(&old);
		exec_run(m, config, pair[1]);
	}
	rc = m->pid < 0 ? errno : 0;
	m->console = pair[0];
	/* The reader inherits the mask: signals end the waits of this thread. */
	if (!rc && (rc = pthread_create(&m->reader, NULL, read_console, m))) {
		kill(m->pid, SIGKILL);
		wait_for(m->pid);
	}
	if (rc)
		m->pid = 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int uc_machine_start(struct uc_machine *m, const struct uc_machine_config *config,
		     struct uc_diag *diag)
{
	int pair[2], rc;

	snprintf(m->name, sizeof(m->name), "compare-%d-%s%u", (int)getpid(), config->role,
		 config->number);
	if (pipe2(pair, O_CLOEXEC))
		return uc_fail(diag, UC_EXIT_INTERNAL, errno, "cannot make a pipe: %s",
			       strerror(errno));
	rc = start_process(m, config, pair);
	close(pair[1]);
	if (!rc)
		return 0;
	close(pair[0]);
	return uc_fail(diag, UC_EXIT_INTERNAL, rc, "cannot start a guest: %s", strerror(rc));
}

static bool has_ended(const struct uc_machine *m)
{
	siginfo_t info = {.si_pid = 0};

	return !waitid(P_PID, (id_t)m->pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

int uc_machine_wait_ready(struct uc_machine *m, unsigned int timeout_s, struct uc_diag *diag)
{
	const struct timespec tick = {.tv_nsec = 20000000};

	for (unsigned int i = 0; i < timeout_s * 50; i++) {
		if (__atomic_load_n(&m->ready, __ATOMIC_ACQUIRE))
			return 0;
		if (has_ended(m) || __atomic_load_n(&m->failed, __ATOMIC_ACQUIRE))
			return uc_fail(diag, UC_EXIT_INTERNAL, ECHILD, "the guest %s failed: %s",
				       m->name, m->last);
		if (uc_host_told_to_stop())
			return uc_fail(diag, UC_EXIT_INTERNAL, EINTR, "interrupted");
		nanosleep(&tick, NULL);
	}
	return uc_fail(diag, UC_EXIT_INTERNAL, ETIMEDOUT,
		       "the guest %s was not ready within %u s; its last line: %s", m->name,
		       timeout_s, m->last);
}

int uc_machine_ask(struct uc_machine *m, json_t *request, json_t **result, struct uc_diag *diag)
{
	int rc = m->connected ? 0 : uc_ctl_connect(&m->ctl, m->name, diag);

	m->connected = !rc;
	if (!rc)
		rc = uc_ctl_ask(&m->ctl, request, result, diag);
	json_decref(request);
	return rc;
}

void uc_machine_stop(struct uc_machine *m)
{
	if (!m->pid)
		return;
	if (m->connected)
		uc_ctl_disconnect(&m->ctl);
	kill(m->pid, SIGCONT);
	kill(m->pid, SIGTERM);
	wait_for(m->pid);
	pthread_join(m->reader, NULL);
	m->pid = 0;
	m->connected = false;
}
