/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the programs' maps and asks verdict_for(), as lines on stdin say:
 *   case                       forget everything (the object is loaded anew)
 *   put MAP KEY VALUE          a map entry, key and value in hex
 *   ask QUESTION               struct question in hex; answered by "BY VERDICT RULE"
 * Exit codes: 0, 1 when a line can't be served (said on stderr), 2 usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define BYTES_MAX 256
#define LINE_SIZE 2048

static struct bpf_object *object;

static int load(const char *path)
{
	bpf_object__close(object);
	object = bpf_object__open_file(path, NULL);
	return object && !bpf_object__load(object) ? 0 : -1;
}

/* Bytes of a hex text, or -1. */
static int bytes_of(const char *hex, unsigned char *out)
{
	int n = 0;

	for (; hex[0] && hex[1] && n < BYTES_MAX; hex += 2)
		if (sscanf(hex, "%2hhx", &out[n++]) != 1)
			return -1;
	return *hex ? -1 : n;
}

static int put(const char *name, const char *key_hex, const char *value_hex)
{
	unsigned char key[BYTES_MAX], value[BYTES_MAX];
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	int key_size = bytes_of(key_hex, key), value_size = bytes_of(value_hex, value);

	if (!map || key_size != (int)bpf_map__key_size(map) || value_size != (int)bpf_map__value_size(map))
		return -1;
	return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY);
}

static int ask(const char *question_hex)
{
	unsigned char packet[14 + BYTES_MAX] = {0};
	struct bpf_program *program = bpf_object__find_program_by_name(object, "verdict_test");
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = 14 + 64, .repeat = 1);

	if (!program || bytes_of(question_hex, packet + 14) != 24)
		return -1;
	packet[12] = 8;
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &run))
		return -1;
	printf("%u %u %u\n", run.retval & 255, run.retval >> 8 & 255, run.retval >> 16);
	return 0;
}

static int serve(const char *path, char *line)
{
	char *word = strtok(line, " \n");
	char *first = strtok(NULL, " \n"), *second = strtok(NULL, " \n"), *third = strtok(NULL, " \n");

	if (word && !strcmp(word, "case"))
		return load(path);
	if (word && !strcmp(word, "put") && third)
		return put(first, second, third);
	if (word && !strcmp(word, "ask") && first)
		return ask(first);
	return -1;
}

int main(int argc, char **argv)
{
	char line[LINE_SIZE], copy[LINE_SIZE];

	if (argc != 2) {
		fprintf(stderr, "usage: verdict_test OBJECT < LINES\n");
		return 2;
	}
	while (fgets(line, sizeof(line), stdin)) {
		strcpy(copy, line);
		if (serve(argv[1], line)) {
			fprintf(stderr, "verdict_test: can't serve: %s", copy);
			return 1;
		}
	}
	return 0;
}
