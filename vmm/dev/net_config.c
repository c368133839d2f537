/* SPDX-License-Identifier: MIT */
/* The text of --net. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/net.h"

/* Xen's own prefix, and 24 bits that the names hash to (FNV-1a). */
static void default_mac(uint8_t *mac, const char *guest, const char *tap)
{
	uint32_t hash = 0x811c9dc5;
	char names[256];

	snprintf(names, sizeof(names), "%s/%s", guest, tap);
	for (const char *c = names; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x01000193u;
	hash ^= hash >> 24;
	memcpy(mac,
	       (const uint8_t[]){0x00, 0x16, 0x3e, (uint8_t)(hash >> 16 & 0x7f),
				 (uint8_t)(hash >> 8), (uint8_t)hash},
	       6);
}

static int parse_mac(uint8_t *mac, const char *text, struct uc_diag *diag)
{
	int used = 0, n = sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1],
				 &mac[2], &mac[3], &mac[4], &mac[5], &used);

	/* Bit 0 of the first byte marks a group of stations. */
	if (n != 6 || used != 17 || text[used] || (mac[0] & 1))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "--net mac=%s: give a unicast address such as 00:16:3e:01:02:03",
			       text);
	return 0;
}

int uc_net_config_parse(struct uc_net_config *config, const char *text, const char *guest_name,
			uint32_t nr_vcpus, struct uc_diag *diag)
{
	char name[32] = "";
	const char *comma = strchr(text, ',');
	int rc;

	if (strncmp(text, "tap=", 4) || (comma && strncmp(comma, ",mac=", 5)))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "--net %s: give none or tap=NAME or tap=NAME,mac=ADDRESS", text);
	snprintf(name, sizeof(name), "%.*s",
		 comma ? (int)(comma - text - 4) : (int)strlen(text + 4), text + 4);
	default_mac(config->mac, guest_name, name);
	rc = comma ? parse_mac(config->mac, comma + 5, diag) : 0;
	return rc ? rc : uc_tap_open(&config->tap, name, nr_vcpus, diag);
}
