/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader has found by itself, told to the daemon, which records it. */
#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "notice.h"
#include "say.h"

void notice_tamper(const char *finding)
{
	char line[512], text[256];
	int n;

	json_escape(text, sizeof(text), finding);
	n = snprintf(line, sizeof(line), "{\"kind\":\"tamper\",\"what\":\"%s\"}", text);
	channel_send(FRAME_NOTICE, 0, 0, line, (size_t)n);
}

void notice_uncovered(const char *interface, int err)
{
	char finding[160];

	snprintf(finding, sizeof(finding), "interface %s could not be covered: %s", interface,
		 strerror(-err));
	notice_tamper(finding);
}
