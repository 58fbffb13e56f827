/* SPDX-License-Identifier: Apache-2.0 */
/* replace OBJECT PIN: puts the object's program into the pinned one; says `stands` or `refused`. */
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

int main(int argc, char **argv)
{
	int target = argc == 3 ? bpf_obj_get(argv[2]) : -1;
	struct bpf_object *object = target < 0 ? NULL : bpf_object__open_file(argv[1], NULL);
	struct bpf_program *program = object ? bpf_object__next_program(object, NULL) : NULL;
	char end;

	libbpf_set_print(NULL);
	if (!program || bpf_program__set_attach_target(program, target, "verdict_for") ||
	    bpf_object__load(object) || !bpf_program__attach(program)) {
		puts("refused");
		return 0;
	}
	puts("stands");
	fflush(stdout);
	return (int)read(0, &end, 1);
}
