/* SPDX-License-Identifier: MIT */
/* Files that travel inside the binary, so that an installed `upcall` needs nothing beside it. */
	.section .rodata
	.balign 8
	.global uc_lab_agent_start, uc_lab_agent_end
uc_lab_agent_start:
	.incbin UC_AGENT_FILE
uc_lab_agent_end:
	.global uc_lab_fetch_start, uc_lab_fetch_end
uc_lab_fetch_start:
	.incbin UC_FETCH_FILE
uc_lab_fetch_end:
	.section .note.GNU-stack, "", @progbits
