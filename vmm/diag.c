/* SPDX-License-Identifier: MIT */
#include "vmm/diag.h"

#include <stdarg.h>
#include <stdio.h>

int uc_fail(struct uc_diag *diag, enum uc_exit status, int err, const char *fmt, ...)
{
	va_list ap;

	if (diag->text[0] == '\0') {
		diag->status = status;
		va_start(ap, fmt);
		vsnprintf(diag->text, sizeof(diag->text), fmt, ap);
		va_end(ap);
	}
	return -err;
}
