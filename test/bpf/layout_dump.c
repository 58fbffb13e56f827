/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the layout an eBPF object was built with, from its BTF:
 *   S STRUCT SIZE         F STRUCT FIELD OFFSET (bytes)         E ENUM MEMBER VALUE
 * Exit codes: 0, 1 when the object has no BTF, 2 usage.
 */
#include <stdio.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

static void print_type(const struct btf *btf, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(btf, type->name_off);

	if (!name || !*name)
		return;
	if (btf_is_struct(type)) {
		printf("S %s %u\n", name, type->size);
		for (int i = 0; i < btf_vlen(type); i++)
			printf("F %s %s %u\n", name,
			       btf__name_by_offset(btf, btf_members(type)[i].name_off),
			       btf_member_bit_offset(type, (unsigned int)i) / 8);
	}
	if (btf_is_enum(type))
		for (int i = 0; i < btf_vlen(type); i++)
			printf("E %s %s %d\n", name,
			       btf__name_by_offset(btf, btf_enum(type)[i].name_off),
			       btf_enum(type)[i].val);
}

int main(int argc, char **argv)
{
	struct btf *btf;

	if (argc != 2) {
		fprintf(stderr, "usage: layout_dump OBJECT\n");
		return 2;
	}
	btf = btf__parse_elf(argv[1], NULL);
	if (!btf) {
		fprintf(stderr, "layout_dump: %s has no BTF\n", argv[1]);
		return 1;
	}
	for (unsigned int id = 1; id < btf__type_cnt(btf); id++)
		print_type(btf, btf__type_by_id(btf, id));
	btf__free(btf);
	return 0;
}
