/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the programs, fills in their configuration and covers the uplinks; says what can't be had. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "again.h"
#include "begin.h"
#include "config.h"
#include "dns.h"
#include "links.h"
#include "listeners.h"
#include "main_pipes.h"
#include "network.h"
#include "object.h"
#include "processes.h"
#include "say.h"

static const struct session *starting; /* for what is told while the network is covered */

static void start_uncovered(const char *interface, int err)
{
	static bool told;
	char line[512], name[64];
	int n;

	if (told)
		return; /* one reason is enough */
	told = true;
	json_escape(name, sizeof(name), interface);
	n = snprintf(
		line, sizeof(line),
		"{\"error\":{\"code\":\"unsupported\",\"message\":\"interface %s could not be covered: %s\","
		"\"remedy\":\"cargowall needs TCX or the clsact hook (modules sch_ingress and cls_bpf)\"}}",
		name, strerror(-err));
	status_line(starting, line, (size_t)n);
}

int begin(const struct session *s)
{
	const char *why = "";
	char attached[960], line[1024];
	int err = object_load(s, &why), n;

	if (!err && (err = again_attach()))
		why = "a program of the loopback interface";
	if (err) {
		n = snprintf(line, sizeof(line),
			     "{\"error\":{\"code\":\"unsupported\",\"message\":\"the kernel refused %s: %s\","
			     "\"remedy\":\"cargowall needs Linux 6.1 or later with BTF and cgroup2\"}}",
			     why, strerror(-err));
		status_line(s, line, (size_t)n);
		return EXIT_UNSUPPORTED;
	}
	err = dns_attach(s);
	if (err)
		return start_failed(s, "the proxy's sockets", err);
	config_begin(s);
	processes_capture(s);
	listeners_capture(s);
	/* once more: what has changed since the keeper looked was not watched yet */
	err = network_scan();
	if (err)
		return start_failed(s, "the network's interfaces", err); /* on-unsupported has no say */
	starting = s;
	if (network_apply(start_uncovered))
		return EXIT_UNSUPPORTED;
	links_describe(attached, sizeof(attached));
	n = snprintf(line, sizeof(line), "{\"stage\":\"attached\",%s}", attached);
	status_line(s, line, (size_t)n);
	return 0;
}
