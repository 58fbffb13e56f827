/* SPDX-License-Identifier: Apache-2.0 */
/* A uid for the daemon that nobody has. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "uid.h"

/* Whether a process runs under a uid or the password file names it. */
static bool uid_is_used(uid_t uid)
{
	char line[1024], path[300], *field;
	FILE *f = fopen("/etc/passwd", "re");
	bool used = false;
	struct dirent *entry;
	struct stat st;
	DIR *proc;

	while (f && !used && fgets(line, sizeof(line), f)) {
		field = strchr(line, ':');
		field = field ? strchr(field + 1, ':') : NULL;
		used = field && strtoul(field + 1, NULL, 10) == uid;
	}
	if (f)
		fclose(f);
	proc = opendir("/proc");
	while (proc && !used && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s", entry->d_name);
		used = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && !stat(path, &st) &&
		       st.st_uid == uid;
	}
	if (proc)
		closedir(proc);
	return used;
}

/* A uid nobody has: 61184 to 65519, without a process. */
uid_t uid_unused(void)
{
	uid_t uid = 0;

	for (int tries = 0; tries < 256; tries++) {
		unsigned int seed = 0;

		if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
			continue;
		uid = 61184 + seed % (65519 - 61184 + 1);
		if (!uid_is_used(uid))
			break;
	}
	return uid;
}
