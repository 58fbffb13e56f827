/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../abi.h"
#include "clock.h"
#include "findings.h"
#include "frame.h"
#include "identities.h"
#include "raw.h"

#define RING_SIZE (4u << 20)
#define BATCH_MAX 4096
#define GATHER_NS 5000000ULL /* a batch of many costs little more than one of few */

static unsigned long *consumer, *producer;
static unsigned char *data;
static unsigned long position; /* up to where we have read, which the consumer's page tells the kernel */
static unsigned long sent; /* position behind the batch in flight */
static uint32_t batch;
static bool in_flight, is_full;
static uint64_t sent_ns;
static unsigned char events[BATCH_MAX * sizeof(struct event)];

int stream_open(int map_fd)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *p;

	consumer = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	p = mmap(NULL, (size_t)page + 2 * RING_SIZE, PROT_READ, MAP_SHARED, map_fd, page);
	if (p == MAP_FAILED)
		return -errno;
	producer = (unsigned long *)p;
	data = p + page;
	position = __atomic_load_n(consumer, __ATOMIC_ACQUIRE);
	return 0;
}

/* Tells the kernel how far we have read; the page is root's to write too, and what it says there is not believed. */
static void move_to(unsigned long to)
{
	if (__atomic_load_n(consumer, __ATOMIC_ACQUIRE) != position)
		check_happened("somebody else has written where the ring of events is read; it is put right");
	position = to;
	__atomic_store_n(consumer, to, __ATOMIC_RELEASE);
}

bool stream_waiting(void)
{
	return in_flight;
}

bool stream_gathers(void)
{
	return !is_full && now_ns(CLOCK_MONOTONIC) - sent_ns < GATHER_NS;
}

void stream_hurry(void)
{
	sent_ns = 0;
}

/* Takes one event over, whose process is told before. */
static int take(int channel, size_t n, const unsigned char *record)
{
	struct event v;

	memcpy(&v, record + BPF_RINGBUF_HDR_SZ, sizeof(v));
	memcpy(events + n * sizeof(v), &v, sizeof(v));
	if (v.ext.layer == LAYER_SYSCALL)
		raw_opened((int)v.flow.pid, v.ext.ethertype);
	return identity_tell(channel, v.flow.pid, v.ext.start_ns, v.ext.execs);
}

static int send_from(int channel, uint16_t flags)
{
	unsigned long at = position;
	unsigned long end = __atomic_load_n(producer, __ATOMIC_ACQUIRE);
	uint64_t told = identities_told();
	size_t n = 0;
	int err = 0;

	while (at < end && n < BATCH_MAX && identities_told() - told < IDENTITIES_BATCH) {
		unsigned char *record = data + (at & (RING_SIZE - 1));
		uint32_t head = __atomic_load_n((uint32_t *)record, __ATOMIC_ACQUIRE);
		uint32_t size = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (head & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(head & BPF_RINGBUF_DISCARD_BIT) && size == sizeof(struct event))
			err = take(channel, n++, record);
		if (err)
			return err;
		at += (size + BPF_RINGBUF_HDR_SZ + 7) & ~7UL;
	}
	move_to(n ? position : at);
	if (!n)
		return 0;
	sent = at;
	sent_ns = now_ns(CLOCK_MONOTONIC);
	is_full = n == BATCH_MAX || identities_told() - told == IDENTITIES_BATCH;
	in_flight = true;
	err = identities_flush(channel);
	if (err)
		return err;
	return frame_send(channel, FRAME_EVENTS, flags, ++batch, events, n * sizeof(struct event));
}

int stream_drain(int channel)
{
	return in_flight || stream_gathers() ? 0 : send_from(channel, 0);
}

void stream_written(uint32_t seq)
{
	if (!in_flight || seq != batch)
		return;
	in_flight = false;
	move_to(sent);
}

void stream_resend(int channel)
{
	in_flight = false;
	send_from(channel, 1);
}
