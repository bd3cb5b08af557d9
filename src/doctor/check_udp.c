/* SPDX-License-Identifier: MIT */
/*
 * UDP offloads: sends runs of known content by UDP_SEGMENT in the namespace of the trial, and compares what arrives.
 * Some kernels corrupt such runs without an error.
 *
 * The trial uses the sockets of the daemon (io/udp.h), so a run takes the same way through the kernel as those of a
 * tunnel, up to the driver of the network device. A device that segments runs itself cannot be tested here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "checks.h"
#include "io/tun.h"
#include "io/udp.h"

enum {
	DATAGRAM = 1200, /* bytes; smaller than the MTU of every device */
	DATAGRAMS = 16,  /* in a run, and a short one at the end of the second run */
	SHORT_TAIL = 700,
	RUN_BYTES = DATAGRAMS * DATAGRAM + SHORT_TAIL,
	ARRIVAL_MS = 200, /* how long to wait for the next datagram */
};

/* Addresses of the test device and of a neighbour that does not exist. The namespace has no other networks. */
#define DEVICE_V4 "192.0.2.1"
#define NEIGHBOUR_V4 "192.0.2.2"
#define DEVICE_V6 "2001:db8::1"
#define NEIGHBOUR_V6 "2001:db8::2"

/* The datagrams that were sent, and which of them have arrived. */
struct gso_exchange {
	uint8_t data[RUN_BYTES];
	size_t bytes;
	struct gso_path_result *result;
};

static void compare_datagram(struct gso_exchange *exchange, const uint8_t *datagram, size_t length)
{
	size_t number = length ? datagram[0] : RUN_BYTES, start = number * DATAGRAM, expected;

	exchange->result->received++;
	if (start >= exchange->bytes) {
		exchange->result->corrupt++;
		return;
	}
	expected = exchange->bytes - start < DATAGRAM ? exchange->bytes - start : DATAGRAM;
	if (length != expected || memcmp(datagram, exchange->data + start, length) != 0)
		exchange->result->corrupt++;
}

/*
 * Sends a run, and one with a short datagram at its end, and waits for their datagrams: `read_some` reads those that
 * have arrived, and returns false on an error. Each datagram begins with its number. The rest differs in every byte
 * from the neighbouring datagrams.
 */
static void exchange_runs(struct udp *from, const struct endpoint *to, struct gso_path_result *result, int fd,
						  bool (*read_some)(void *context, struct gso_exchange *exchange), void *context)
{
	struct gso_exchange exchange = { .result = result };
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	result->tested = true;
	for (int tail = 0; tail < 2 && !result->error; tail++) {
		struct udp_run run = { .to = to, .data = exchange.data, .size = DATAGRAM };
		bool readable = true;

		exchange.bytes = DATAGRAMS * DATAGRAM + (tail ? SHORT_TAIL : 0);
		for (size_t i = 0; i < exchange.bytes; i++)
			exchange.data[i] = (uint8_t)(i % DATAGRAM ? i * 31 + i / DATAGRAM * 7 + (i >> 8) : i / DATAGRAM);
		run.bytes = (uint32_t)exchange.bytes;
		if (udp_send(from, &run, 1) != 1 || run.error || run.gso_refused) {
			result->error = run.error ? -run.error : -EIO;
			return;
		}
		result->sent = (uint16_t)(result->sent + DATAGRAMS + tail);
		while (readable && result->received < result->sent && poll(&ready, 1, ARRIVAL_MS) > 0)
			readable = read_some(context, &exchange);
	}
}

struct socket_reader {
	int fd;
	struct udp_batch *batch;
};

static bool read_socket(void *context, struct gso_exchange *exchange)
{
	struct socket_reader *reader = context;
	struct udp_message messages[UDP_BATCH];
	struct udp_dropped dropped = { 0 };
	int count = udp_receive(reader->fd, reader->batch, messages, &dropped);

	for (int i = 0; i < count; i++) {
		for (uint32_t at = 0; at < messages[i].length; at += messages[i].size) {
			uint32_t rest = messages[i].length - at;
			compare_datagram(exchange, messages[i].data + at, rest < messages[i].size ? rest : messages[i].size);
		}
	}
	return count >= 0;
}

static void try_loopback(struct udp *from, bool v6, bool gro, struct gso_path_result *result)
{
	struct socket_reader reader = { .batch = udp_batch_create() };
	struct endpoint to;
	struct udp udp = { 0 };
	int error = reader.batch ? udp_open(&udp, 0, 0) : -ENOMEM;

	if (!error) {
		const struct udp_options plain = { .no_gro = true };

		endpoint_numeric(v6 ? "::1" : "127.0.0.1", NULL, &to);
		endpoint_set_port(&to, htons(udp.port));
		if (!gro)
			udp_limit(&udp, &plain);
		reader.fd = v6 ? udp.v6 : udp.v4;
		if (!gro || udp.gro)
			exchange_runs(from, &to, result, reader.fd, read_socket, &reader);
	}
	if (error)
		result->error = error;
	udp_close(&udp);
	udp_batch_destroy(reader.batch);
}

/* --- the device without offloads ----- */

static int raise_device(const struct tun *tun)
{
	/* As struct in6_ifreq of <linux/ipv6.h>, which contradicts <netinet/in.h>. */
	struct {
		struct in6_addr address;
		uint32_t prefix_length;
		int index;
	} v6 = { .prefix_length = 64, .index = (int)if_nametoindex(tun->name) };
	struct ifreq request = { 0 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	int fd4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = 0;

	memcpy(request.ifr_name, tun->name, sizeof request.ifr_name);
	inet_pton(AF_INET, DEVICE_V4, &v4.sin_addr);
	memcpy(&request.ifr_addr, &v4, sizeof v4);
	if (ioctl(fd4, SIOCSIFADDR, &request) < 0)
		error = -errno;
	inet_pton(AF_INET, "255.255.255.0", &v4.sin_addr);
	memcpy(&request.ifr_addr, &v4, sizeof v4);
	if (!error && ioctl(fd4, SIOCSIFNETMASK, &request) < 0)
		error = -errno;
	request.ifr_flags = IFF_UP;
	if (!error && ioctl(fd4, SIOCSIFFLAGS, &request) < 0)
		error = -errno;
	inet_pton(AF_INET6, DEVICE_V6, &v6.address);
	if (fd6 >= 0) {
		ioctl(fd6, SIOCSIFADDR, &v6); /* without IPv6, the trial of IPv6 reports that sending failed */
		close(fd6);
	}
	if (fd4 >= 0)
		close(fd4);
	return error;
}

struct device_reader {
	struct tun *tun;
	uint8_t *buffer; /* of TUN_READ bytes */
};

/* Skips what the kernel itself sends, such as router solicitations. */
static bool read_device(void *context, struct gso_exchange *exchange)
{
	struct device_reader *reader = context;
	ssize_t length = tun_read(reader->tun, reader->buffer);
	const uint8_t *packet = reader->buffer + TUN_VIRTIO;
	size_t header = sizeof(struct ip6_hdr), protocol_at = 6, payload;

	if (length < 0)
		return length == -EAGAIN;
	length -= TUN_VIRTIO;
	if (length > 0 && packet[0] >> 4 == 4) {
		header = 4u * (packet[0] & 15);
		protocol_at = 9;
	}
	if ((size_t)length < header + sizeof(struct udphdr) || packet[protocol_at] != IPPROTO_UDP)
		return true;
	payload = header + sizeof(struct udphdr);
	compare_datagram(exchange, packet + payload, (size_t)length - payload);
	return true;
}

static void try_device(struct udp *from, bool v6, struct gso_path_result *result)
{
	static uint8_t buffer[TUN_READ];
	struct endpoint to;
	struct tun tun;
	struct device_reader reader = { &tun, buffer };
	int error = tun_open(&tun, "doctor%d");

	if (error) {
		result->error = error;
		return;
	}
	tun_disable_offloads(&tun);
	endpoint_numeric(v6 ? NEIGHBOUR_V6 : NEIGHBOUR_V4, NULL, &to);
	endpoint_set_port(&to, htons(9));
	error = raise_device(&tun);
	if (error)
		result->error = error;
	else
		exchange_runs(from, &to, result, tun.fd, read_device, &reader);
	tun_close(&tun);
}

static int families_tested(const struct udp_trial *trial)
{
	return trial->tested_v6 ? 2 : 1;
}

void try_udp(struct udp_trial *trial)
{
	struct udp udp;

	*trial = (struct udp_trial) { .error = udp_open(&udp, 0, 0) };
	if (trial->error)
		return;
	trial->gso = udp.gso;
	trial->gro = udp.gro;
	trial->tested_v6 = udp.v6 >= 0;
	for (int v6 = 0; v6 < families_tested(trial) && trial->gso; v6++) {
		try_loopback(&udp, v6, true, &trial->paths[v6][GSO_TO_GRO]);
		try_loopback(&udp, v6, false, &trial->paths[v6][GSO_TO_PLAIN]);
		try_device(&udp, v6, &trial->paths[v6][GSO_TO_DEVICE]);
	}
	udp_close(&udp);
}

/* --- judgement ----- */

static const char *const path_names[GSO_PATHS] = {
	[GSO_TO_GRO] = "with UDP_GRO",
	[GSO_TO_PLAIN] = "without UDP_GRO",
	[GSO_TO_DEVICE] = "through a device",
};

/* Reports a path with errors. Returns whether there was one. */
static bool judge_path(struct findings *findings, const struct gso_path_result *result, bool v6, enum gso_path path,
					   bool off)
{
	enum verdict bad = off ? VERDICT_NOTE : VERDICT_FAIL;
	char object[64];

	snprintf(object, sizeof object, "UDP GSO, %s, %s", v6 ? "IPv6" : "IPv4", path_names[path]);
	if (!result->tested || result->error)
		return false;
	if (result->corrupt)
		finding_add(findings, bad, object, "%u of %u datagrams were corrupted by the kernel", result->corrupt,
					result->received);
	else if (result->received < result->sent)
		finding_add(findings, off ? VERDICT_NOTE : VERDICT_WARN, object, "%u of %u datagrams were lost",
					result->sent - result->received, result->sent);
	else
		return false;
	finding_hint(findings, "write %s in [Interface]%s",
				 path == GSO_TO_GRO ? "UdpGso = off, and if that does not help UdpGro = off," : "UdpGso = off",
				 off ? ", as this file does" : ", or run a kernel without this fault");
	return true;
}

void judge_udp_trial(struct findings *findings, const struct udp_trial *trial, int isolate_error,
					 const struct tunnel_facts *tunnel)
{
	int error = isolate_error ? isolate_error : trial->error;
	unsigned tested = 0, sent = 0, skipped = 0;
	bool bad = false;

	if (error) {
		finding_add(findings, VERDICT_NOTE, "UDP GSO", "not tested: %s: %s",
					isolate_error ? "network namespace" : "sockets", strerror(-error));
		finding_needs_root(findings);
		return;
	}
	if (!trial->gro)
		finding_add(findings, VERDICT_NOTE, "UDP GRO",
					"not supported (Linux 5.12 has it), so datagrams are received one by one");
	if (!trial->gso) {
		finding_add(findings, VERDICT_NOTE, "UDP GSO", "not supported, so datagrams are sent one by one");
		return;
	}
	for (int v6 = 0; v6 < families_tested(trial); v6++) {
		for (enum gso_path path = 0; path < GSO_PATHS; path++) {
			const struct gso_path_result *result = &trial->paths[v6][path];

			bad |= judge_path(findings, result, v6, path, tunnel->gso_off);
			tested += result->tested && !result->error;
			skipped += !result->tested || result->error;
			sent += result->error ? 0 : result->sent;
		}
	}
	if (!bad && tested)
		finding_add(findings, VERDICT_OK, "UDP GSO", "%u datagrams in runs arrived unchanged, over %u of %u paths%s",
					sent, tested, tested + skipped, trial->tested_v6 ? "" : " (IPv4 only)");
	else if (!tested)
		finding_add(findings, VERDICT_NOTE, "UDP GSO", "not tested: no run could be sent");
}
