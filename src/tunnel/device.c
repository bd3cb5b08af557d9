/* SPDX-License-Identifier: MIT */
/* The device: set-up, lock and counters. */
#include "tunnel/device.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"

int device_init(struct device *device, const char *name, const struct aead_provider *aead, struct ev_loop *loop,
				const struct timer_ops *timer_ops, const struct mailbox_ops *mailbox_ops)
{
	pthread_rwlockattr_t attributes;
	int error;

	*device = (struct device) {
		.aead = aead, .realtime = clock_realtime, .boottime = clock_boottime, .stamp_offset = INT64_MIN
	};
	device->started = device->realtime() / NS_PER_S;
	snprintf(device->name, sizeof device->name, "%s", name);
	randombytes_buf(device->hash_key, sizeof device->hash_key);
	error = timers_init(&device->timers, timer_ops, loop);
	if (error)
		return error;
	error = map_init(&device->by_index);
	if (error)
		goto destroy_timers;
	error = map_init(&device->by_key);
	if (error)
		goto destroy_by_index;
	error = staged_pool_init(&device->staged);
	if (error)
		goto destroy_by_key;
	device->ratelimit = ratelimit_create();
	if (!device->ratelimit) {
		error = -ENOMEM;
		goto destroy_staged;
	}
	mailbox_init(&device->mailbox, mailbox_ops, device);
	/* Workers take the lock again as soon as they wake up. Preferring the writer keeps them from starving control. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&device->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	return 0;
destroy_staged:
	staged_pool_destroy(&device->staged);
destroy_by_key:
	map_destroy(&device->by_key);
destroy_by_index:
	map_destroy(&device->by_index);
destroy_timers:
	timers_destroy(&device->timers, loop);
	return error;
}

void device_destroy(struct device *device, struct ev_loop *loop)
{
	assert(list_empty(&device->peers) && list_empty(&device->spare));
	pthread_rwlock_destroy(&device->lock);
	mailbox_destroy(&device->mailbox);
	ratelimit_destroy(device->ratelimit);
	staged_pool_destroy(&device->staged);
	map_destroy(&device->by_key);
	map_destroy(&device->by_index);
	timers_destroy(&device->timers, loop);
	allowedips_destroy(&device->allowed_ips);
	sodium_memzero(device, sizeof *device);
}

void device_lock(struct device *device)
{
	assert(!device->locked);
	device->locked = true;
	if (mailbox_threaded(&device->mailbox))
		pthread_rwlock_wrlock(&device->lock);
}

void device_unlock(struct device *device)
{
	if (mailbox_threaded(&device->mailbox))
		pthread_rwlock_unlock(&device->lock);
	device->locked = false;
}

uint64_t device_key_hash(const struct device *device, const uint8_t public_key[NOISE_KEY])
{
	uint64_t hash;

	static_assert(crypto_shorthash_BYTES == sizeof hash, "SipHash-2-4");
	crypto_shorthash((uint8_t *)&hash, public_key, NOISE_KEY, device->hash_key);
	return hash;
}

uint64_t device_stamp_time(struct device *device, uint64_t now)
{
	int64_t offset = (int64_t)(device->realtime() - now);

	if (offset > device->stamp_offset)
		device->stamp_offset = offset;
	return now + (uint64_t)device->stamp_offset;
}

void device_post_errors(struct device *device, struct counters *counters, struct udp *udp, uint64_t now)
{
	counters->value[COUNT_UNREACHABLE_RECEIVED] += udp->error_count;
	if (udp->error_count && token_bucket_take(&device->notices, NOTICE_BURST, NS_PER_S, now))
		mailbox_post_notice(&device->mailbox, NOTICE_UNREACHABLE, (const uint8_t *)&udp->error, sizeof udp->error,
							&udp->error.to, now);
	udp->error_count = 0;
}

void device_counters(struct device *device, struct counters *sum)
{
	device_lock(device);
	*sum = device->counters;
	if (device->ops && device->ops->add_counters)
		device->ops->add_counters(device->ops_context, sum);
	device_unlock(device);
}
