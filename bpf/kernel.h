/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The few kernel types and constants the programs read. Fields are found at load time (CO-RE),
 * so nothing here depends on the kernel the object is built on.
 */
#ifndef CARGOWALL_KERNEL_H
#define CARGOWALL_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define AF_INET 2
#define AF_PACKET 17
#define AF_IB 27
#define AF_VSOCK 40
#define AF_XDP 44
#define EPERM 1
#define LOOPBACK_IFINDEX 1
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ICMPV6 58
#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_P_IPV6 0x86DD
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define ARP_REQUEST 1
#define ARP_REPLY 2

/* Verdicts of a TCX program (include/uapi/linux/bpf.h, enum tcx_action_base). */
#define TCX_NEXT_PROGRAM (-1)
#define TCX_DROP_FRAME 2

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads that have not exited */
} __attribute__((preserve_access_index));

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct pid_namespace {
	struct ns_common ns;
} __attribute__((preserve_access_index));

struct cgroup_namespace {
	struct ns_common ns;
} __attribute__((preserve_access_index));

struct net {
	unsigned long long net_cookie;
} __attribute__((preserve_access_index));

struct nsproxy {
	struct pid_namespace *pid_ns_for_children;
	struct cgroup_namespace *cgroup_ns;
	struct net *net_ns;
} __attribute__((preserve_access_index));

#define PF_IO_WORKER 0x10 /* a thread of the kernel's that works for a process's ring */
#define PF_KTHREAD 0x200000 /* a thread of the kernel's own, whose memory may be borrowed */

struct super_block {
	unsigned int s_dev;
} __attribute__((preserve_access_index));

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
} __attribute__((preserve_access_index));

struct qstr {
	const unsigned char *name;
} __attribute__((preserve_access_index));

struct dentry {
	struct qstr d_name;
} __attribute__((preserve_access_index));

struct path {
	struct dentry *dentry;
} __attribute__((preserve_access_index));

struct file {
	struct path f_path;
	struct inode *f_inode;
} __attribute__((preserve_access_index));

struct mm_struct {
	struct file *exe_file;
} __attribute__((preserve_access_index));

struct task_struct {
	int tgid;
	unsigned int flags;
	char comm[16];
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	unsigned long long start_boottime;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct mm_struct *mm;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
} __attribute__((preserve_access_index));

#define CHECKSUM_PARTIAL 3 /* left to the device, or to the kernel in its place */

struct sk_buff {
	struct net_device *dev;
	unsigned char *data;
	unsigned int len;
	unsigned int data_len; /* of it, what is not in the buffer */
	unsigned char ip_summed : 2;
	unsigned short csum_start; /* where CHECKSUM_PARTIAL sums from, from the buffer's head */
	unsigned short csum_offset; /* from there, where it writes */
	unsigned short mac_header; /* from the buffer's head */
	unsigned short protocol; /* network order */
} __attribute__((preserve_access_index));

typedef struct {
	long long counter;
} atomic64_t;

struct sock_common {
	possible_net_t skc_net;
	atomic64_t skc_cookie;
	struct sock *skc_listener; /* of a connection that is not accepted yet */
} __attribute__((preserve_access_index));

struct sock {
	struct sock_common __sk_common;
	unsigned char sk_kern_sock : 1; /* made by the kernel for itself */
} __attribute__((preserve_access_index));

struct ipv6_pinfo {
	int ucast_oif; /* IPV6_UNICAST_IF */
} __attribute__((preserve_access_index));

struct inet_sock {
	struct ipv6_pinfo *pinet6;
	int uc_index; /* IP_UNICAST_IF */
} __attribute__((preserve_access_index));

/* What an iterator over the sockets of TCP (net/ipv4/tcp_ipv4.c) or UDP (net/ipv4/udp.c) is shown. */
struct socket_visit {
	void *meta;
	void *sk; /* NULL: the end */
};

#endif /* CARGOWALL_KERNEL_H */
