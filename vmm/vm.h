/* SPDX-License-Identifier: MIT */
/*
 * One virtual machine: what it owns, and how it lives. uc_vm_run() builds it, starts one thread per
 * vCPU, serves it from the calling (control) thread, and takes everything down again.
 *
 * Who touches what: the control thread owns console, xenstore and timers' firing; vCPU threads own
 * their vCPU and answer its hypercalls; the event channel library is entered by all of them.
 */
#ifndef UPCALL_VMM_VM_H
#define UPCALL_VMM_VM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <upcall/evtchn.h>

#include "vmm/kvm/kvm.h"
#include "vmm/mem.h"
#include "vmm/routing.h"

#define UC_VM_DOMID	1
#define UC_VM_MAX_VCPUS 128u

struct uc_vm;
struct uc_devices;
struct uc_grants;
struct uc_ctl;
struct uc_net_config;

struct uc_vm_config {
	const char *kernel;
	const char *initrd; /* or NULL */
	const char *append;
	const char *name; /* NULL: "guest", with a number behind it when that is taken */
	unsigned int cpus;
	uint64_t memory_bytes;
	struct uc_net_config *net; /* or NULL */
	struct uc_routing_config routing;
	bool no_reboot;
	bool counters; /* print the library's counters on stderr when asked and at the end */
};

struct uc_vm_vcpu {
	struct uc_vm *vm;
	struct uc_vcpu *evtchn;
	uint32_t id;
	int fd;
	int timer_fd; /* VIRQ_TIMER: CLOCK_MONOTONIC, read by the control thread */
	struct kvm_run *run;
	const struct vcpu_runstate_info *runstate; /* in guest RAM, or NULL */
	uint32_t upcall_vector;			   /* 0: the guest has not set it */
	uint32_t inside;			   /* in KVM_RUN */
	uint32_t exits;				   /* from it, ever */
	pid_t tid;
	const struct rseq *rseq; /* the thread's: the kernel keeps its CPU there */
	void *stack;		 /* holds that too, so it stays mapped while anyone may look */
	pthread_t thread;
	bool started;
	struct uc_vcpu_call *calls; /* asked by other vCPUs (remote.h); under vm->lock */
};

/* Why the machine stopped; the first reason wins. */
enum uc_vm_end {
	UC_VM_RUNNING = 0,
	UC_VM_POWEROFF,
	UC_VM_REBOOT,
	UC_VM_CRASH,
	UC_VM_WATCHDOG,
	UC_VM_TRIPLE_FAULT,
	UC_VM_ERROR, /* vm->diag says what */
	UC_VM_QUIT,  /* a signal or the escape key */
};

struct uc_vm {
	const struct uc_vm_config *config;
	struct uc_mem mem;
	struct uc_kvm kvm;

	struct uc_host host;
	struct uc_domain *domains[UC_VM_DOMID + 1];
	struct uc_domain domain;
	struct uc_vcpu *evtchn_vcpus;
	struct uc_port *ports;
	uint64_t *affinity;
	struct uc_watch watch;
	bool routing_begun; /* vCPU 0's thread */

	struct uc_vm_vcpu *vcpus;
	uint32_t nr_vcpus;

	struct uc_devices *devices; /* console, xenstore: vmm/devices.h */
	struct uc_grants *grants;
	struct uc_ctl *ctl; /* the control socket, which outlives a restart */

	uint32_t end;	       /* enum uc_vm_end */
	int quit_signal;       /* UC_VM_QUIT by a signal: which */
	int stop_event_fd;     /* written when `end` is set */
	int signal_fd;	       /* SIGINT, SIGTERM, SIGHUP */
	pthread_mutex_t lock;  /* diag, calls between vCPUs, XENMEM */
	pthread_cond_t called; /* a vCPU was asked for something, or has done it, or the end came */
	struct uc_diag diag;
	uint32_t said;	     /* lines by uc_vm_say() */
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint32_t reboots;    /* restarts in place before this machine */
};

/* Run a guest to its end. *status is the exit status (vmm/diag.h). */
int uc_vm_run(const struct uc_vm_config *config, int *status, struct uc_diag *diag);

/* Any thread: the machine shall stop, for this reason. */
void uc_vm_stop(struct uc_vm *vm, enum uc_vm_end end);
/* Any thread: a line about the guest for the person who started it, on stderr; bounded per machine.
 */
void uc_vm_say(struct uc_vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Any thread: it shall stop because the VMM failed. */
void uc_vm_fail(struct uc_vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
