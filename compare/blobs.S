/* SPDX-License-Identifier: MIT */
/* The guests' /init travels inside the binary. */
	.section .rodata
	.balign 8
	.global uc_compare_agent_start, uc_compare_agent_end
uc_compare_agent_start:
	.incbin UC_AGENT_FILE
uc_compare_agent_end:
	.section .note.GNU-stack, "", @progbits
