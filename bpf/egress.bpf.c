// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * The hooks, entry points only:
 *   cgroup/connect4,6 sendmsg4,6          the verdict at the call, and DNS steering
 *   cgroup/recvmsg4,6 getpeername4,6      hide the steering
 *   cgroup/sock_create                    the owner at birth (raw and ping sockets never connect)
 *   cgroup/sock_release                   tells what a socket has sent
 *   cgroup_skb/egress                     the packet verdict for everything with a socket
 *   tc (TCX egress, else clsact)          the wall: what leaves by an uplink
 *   tc of loopback (TCX egress)           gives a reply again that was given a moment before
 *   sk_reuseport                          whose question over UDP it is
 *   tp_btf fork, exec, exit               job or runner; what a process runs and comes from
 *   fmod_ret security_socket_create       where the kernel has it: no packet, XDP or vsock socket for the job
 *   cgroup/setsockopt                     nobody's frames pass the queue
 *   cgroup/dev                            no RDMA device for the job
 *   tp_btf netif_receive_skb              what the kernel may answer to
 *   syscall                               run by the loader once a second: tells what is held
 *   iter/tcp iter/udp                     run by the loader: tell what open sockets have sent
 */
#include "again.bpf.h"
#include "call.bpf.h"
#include "dns.bpf.h"
#include "packet.bpf.h"
#include "process.bpf.h"
#include "syscall.bpf.h"
#include "wall.bpf.h"

char _license[] SEC("license") = "Dual MIT/GPL";

SEC("cgroup/connect4")
int egress_connect4(struct bpf_sock_addr *ctx)
{
	return call_judge(ctx, LAYER_CONNECT, false);
}

SEC("cgroup/connect6")
int egress_connect6(struct bpf_sock_addr *ctx)
{
	return call_judge(ctx, LAYER_CONNECT, true);
}

SEC("cgroup/sendmsg4")
int egress_sendmsg4(struct bpf_sock_addr *ctx)
{
	return call_judge(ctx, LAYER_SENDMSG, false);
}

SEC("cgroup/sendmsg6")
int egress_sendmsg6(struct bpf_sock_addr *ctx)
{
	return call_judge(ctx, LAYER_SENDMSG, true);
}

SEC("cgroup/recvmsg4")
int egress_recvmsg4(struct bpf_sock_addr *ctx)
{
	return call_unsteer(ctx, false);
}

SEC("cgroup/recvmsg6")
int egress_recvmsg6(struct bpf_sock_addr *ctx)
{
	return call_unsteer(ctx, true);
}

SEC("cgroup/getpeername4")
int egress_getpeername4(struct bpf_sock_addr *ctx)
{
	return call_unsteer(ctx, false);
}

SEC("cgroup/getpeername6")
int egress_getpeername6(struct bpf_sock_addr *ctx)
{
	return call_unsteer(ctx, true);
}

SEC("cgroup/sock_create")
int egress_sock_create(struct bpf_sock *ctx)
{
	return call_born(ctx);
}

SEC("cgroup/sock_release")
int egress_sock_release(struct bpf_sock *ctx)
{
	return call_released(ctx);
}

SEC("cgroup_skb/egress")
int egress_skb(struct __sk_buff *skb)
{
	return packet_judge_socket(skb);
}

SEC("tc")
int egress_tc(struct __sk_buff *skb)
{
	return packet_judge_frame(skb);
}

SEC("tc")
int egress_again(struct __sk_buff *skb)
{
	return again_answer(skb);
}

SEC("sk_reuseport")
int egress_dns(struct sk_reuseport_md *ctx)
{
	return dns_choose(ctx);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(egress_fork, struct task_struct *parent, struct task_struct *child)
{
	return process_forked(parent, child);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(egress_exec, struct task_struct *task)
{
	identity_replaced(task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(egress_exit, struct task_struct *task)
{
	return process_exited(task);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(egress_arrive, struct sk_buff *skb)
{
	return packet_arrived(skb);
}

SEC("fmod_ret/security_socket_create")
int BPF_PROG(egress_socket, int family, int type, int protocol, int kern, int ret)
{
	return ret || kern ? ret : family_judge(family);
}

SEC("cgroup/setsockopt")
int egress_setsockopt(struct bpf_sockopt *ctx)
{
	return option_judge(ctx);
}

SEC("cgroup/dev")
int egress_device(struct bpf_cgroup_dev_ctx *ctx)
{
	return device_judge(ctx);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(egress_syscall, struct pt_regs *regs, long id)
{
	return syscall_notice(regs, id);
}

/* Before Linux 6.4 it is io_uring_submit_sqe, with the same first argument. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(egress_ring, struct io_kiocb *request)
{
	return ring_notice(request);
}

SEC("syscall")
int egress_repeats(void *ctx)
{
	bpf_for_each_map_elem(&repeats, repeat_tell, 0, 0);
	return 0;
}

SEC("iter/tcp")
int egress_open_tcp(struct socket_visit *ctx)
{
	return traffic_visit(ctx);
}

SEC("iter/udp")
int egress_open_udp(struct socket_visit *ctx)
{
	return traffic_visit(ctx);
}
