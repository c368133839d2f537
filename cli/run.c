/* SPDX-License-Identifier: MIT */
/* `upcall run`: boot a guest with its console on stdio. */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "vmm/dev/net.h"
#include "vmm/trace.h"
#include "vmm/vm.h"

static struct uc_vm_config config = {
	.append = "console=hvc0",
	.cpus = 1,
	.memory_bytes = 512ull << 20,
	.routing.slice_ms = 1,
	.routing.boost_us = UC_BOOST_DEFAULT_US,
};

static const char *net = "none";
static struct uc_net_config net_config;
static const char *trace;

static const struct uc_opt opts[] = {
	{"kernel", UC_OPT_FILE, "FILE",
	 "kernel to boot: a bzImage or an ELF vmlinux with a PVH note", .value = &config.kernel},
	{"initrd", UC_OPT_FILE, "FILE", "initial RAM disk", .value = &config.initrd},
	{"append", UC_OPT_STR, "STRING", "kernel command line (default: console=hvc0)",
	 .value = &config.append},
	{"cpus", UC_OPT_UINT, "N", "number of vCPUs, 1 to 128 (default: 1)", .value = &config.cpus,
	 .min = 1, .max = UC_VM_MAX_VCPUS},
	{"memory", UC_OPT_SIZE, "SIZE", "guest memory, such as 512M or 2G (default: 512M)",
	 .value = &config.memory_bytes, .min = UC_MEM_MIN, .max = UC_MEM_MAX},
	{"name", UC_OPT_STR, "NAME",
	 "the machine's name, for `upcall ctl` and in xenstore (default: guest, or guest-2 and "
	 "so on when that is taken)",
	 .value = &config.name},
	{"net", UC_OPT_STR, "WHAT",
	 "network card: none (the default), or tap=NAME[,mac=ADDRESS], which is made where it does "
	 "not exist",
	 .value = &net},
	{"policy", UC_OPT_STR, "NAME",
	 "which vCPU gets a device's event: follow (one that runs; the default), pinned (the one "
	 "the guest bound it to), round-robin, random",
	 .value = &config.routing.policy},
	{"affinity", UC_OPT_STR, "VCPUS",
	 "the vCPUs that may get devices' events: all (the default), guest (only the one the guest "
	 "bound it to), or a list such as 0,2-3",
	 .value = &config.routing.affinity},
	{"slice", UC_OPT_UINT, "MS",
	 "time slice that vCPUs ask the host for while events follow, so that one that gets an "
	 "event "
	 "runs soon; 0: none (default: 1; Linux 6.12 or newer)",
	 .value = &config.routing.slice_ms, .min = 0, .max = 100},
	{"boost", UC_OPT_UINT, "US",
	 "CPU time that an event gives its vCPU the right to, before others on the host, while "
	 "events follow; 0: none (default: 100; it takes CAP_SYS_NICE)",
	 .value = &config.routing.boost_us, .min = 0, .max = UC_BOOST_MAX_US},
	{"no-reboot", UC_OPT_FLAG, NULL,
	 "exit with status 10 when the guest reboots, instead of restarting it",
	 .value = &config.no_reboot},
	{"counters", UC_OPT_FLAG, NULL,
	 "print the event channels' counters as JSON on stderr: at the end, and whenever the guest "
	 "writes to I/O port 0x610",
	 .value = &config.counters},
	{"trace", UC_OPT_STR, "FILE",
	 "record what happens to each event in FILE (up to 64 MiB, the newest records), for "
	 "`upcall "
	 "trace`",
	 .value = &trace},
	{NULL},
};

static int open_trace(struct uc_diag *diag)
{
	const struct uc_trace_config to = {.path = trace,
					   .machine = config.name ? config.name : "guest",
					   .nr_vcpus = config.cpus,
					   /* Network, control, watcher, and some after restarts. */
					   .nr_lanes = config.cpus + 8,
					   .file_bytes = UC_TRACE_BYTES};

	return trace ? uc_trace_open(&to, diag) : 0;
}

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	int rc = 0;

	(void)argc, (void)argv;
	if (!config.kernel)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "no kernel given; name one with --kernel FILE, such as "
			       "/boot/vmlinuz-$(uname -r)");
	rc = uc_routing_check(&config.routing, config.cpus, diag);
	if (!rc && strcmp(net, "none")) {
		rc = uc_net_config_parse(&net_config, net, config.name, config.cpus, diag);
		config.net = &net_config;
	}
	if (!rc)
		rc = open_trace(diag);
	if (!rc)
		rc = uc_vm_run(&config, status, diag);
	uc_trace_close();
	uc_tap_close(&net_config.tap);
	return rc;
}

const struct uc_command uc_cmd_run = {
	.name = "run",
	.args = "--kernel FILE",
	.summary = "boot a guest, its console on stdin and stdout",
	.details = "On a terminal, Ctrl-A x ends the machine and Ctrl-A Ctrl-A sends a Ctrl-A.\n"
		   "Needs KVM with Xen support; where the machine has none, `upcall lab run` runs "
		   "the\n"
		   "same command in an emulated machine that has.",
	.opts = opts,
	.run = run,
};
