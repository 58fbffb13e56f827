/* SPDX-License-Identifier: Apache-2.0 */
/* Words in JSON: strings made safe, and errors as main shows them. */
#include <stdio.h>

#include "say.h"

void json_escape(char *out, size_t size, const char *in)
{
	size_t n = 0;

	for (; *in && n + 3 < size; in++) {
		if ((unsigned char)*in < 0x20)
			continue;
		if (*in == '"' || *in == '\\')
			out[n++] = '\\';
		out[n++] = *in;
	}
	out[n] = 0;
}

void say_error(int fd, const char *code, const char *message, const char *remedy)
{
	char text[8192];

	json_escape(text, sizeof(text), message);
	dprintf(fd, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"remedy\":\"%s\"}}\n", code, text,
		remedy);
}
