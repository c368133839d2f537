/* SPDX-License-Identifier: MIT */
#include "vmm/kvm/remote.h"

#include <errno.h>
#include <stddef.h>

#include "vmm/kvm/vcpu.h"

static int set_attr(struct uc_vm_vcpu *v, uint16_t attr, uint64_t value)
{
	int rc = uc_kvm_xen_vcpu_attr(v->fd, attr, value);

	if (!rc && attr == KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR)
		uc_vcpu_use_vector(v, (uint8_t)value);
	return rc;
}

/* vm->lock held; given up around the ioctl. */
static void serve_locked(struct uc_vm_vcpu *self)
{
	while (self->calls) {
		struct uc_vcpu_call *call = self->calls;
		int rc;

		self->calls = call->next;
		pthread_mutex_unlock(&self->vm->lock);
		rc = set_attr(self, call->attr, call->value);
		pthread_mutex_lock(&self->vm->lock);
		call->result = rc;
		call->done = true;
		pthread_cond_broadcast(&self->vm->called);
	}
}

void uc_vcpu_serve(struct uc_vm_vcpu *self)
{
	if (!__atomic_load_n(&self->calls, __ATOMIC_SEQ_CST))
		return;
	pthread_mutex_lock(&self->vm->lock);
	serve_locked(self);
	pthread_mutex_unlock(&self->vm->lock);
}

/* The machine stops and nobody will serve the call: take it back. True when it was still there. */
static bool take_back(struct uc_vm_vcpu *target, const struct uc_vcpu_call *call)
{
	struct uc_vcpu_call **at;

	for (at = &target->calls; *at; at = &(*at)->next) {
		if (*at == call) {
			/* The target looks at its list without the lock. */
			__atomic_store_n(at, call->next, __ATOMIC_SEQ_CST);
			return true;
		}
	}
	return false;
}

static int wait_for(struct uc_vm_vcpu *self, struct uc_vm_vcpu *target, struct uc_vcpu_call *call)
{
	while (!call->done) {
		serve_locked(self);
		if (call->done)
			break;
		/* One that is being carried out right now will be done; its memory is ours. */
		if (__atomic_load_n(&self->vm->end, __ATOMIC_ACQUIRE) != UC_VM_RUNNING &&
		    take_back(target, call))
			return -EINTR;
		pthread_cond_wait(&self->vm->called, &self->vm->lock);
	}
	return call->result;
}

int uc_vcpu_set_attr(struct uc_vm_vcpu *self, struct uc_vm_vcpu *target, uint16_t attr,
		     uint64_t value)
{
	struct uc_vcpu_call call = {.attr = attr, .value = value};
	int rc;

	if (target == self)
		return set_attr(self, attr, value);
	pthread_mutex_lock(&self->vm->lock);
	call.next = target->calls;
	__atomic_store_n(&target->calls, &call, __ATOMIC_SEQ_CST);
	/* The target may be waiting for a call of its own, or be in KVM_RUN. */
	pthread_cond_broadcast(&self->vm->called);
	uc_vcpu_interrupt(target);
	rc = wait_for(self, target, &call);
	pthread_mutex_unlock(&self->vm->lock);
	return rc;
}
