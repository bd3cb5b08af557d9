/* SPDX-License-Identifier: MIT */
/*
 * The model of the coalescer, written for clarity only: packets are parsed into named fields, runs are lists of packet
 * numbers, and each rule is one line. The tests compare its output with that of the coalescer.
 */
#ifndef ADIT_TEST_COALESCE_MODEL_H
#define ADIT_TEST_COALESCE_MODEL_H

#include <stdio.h>

#include "packet_naive.h"

enum { MODEL_PACKETS = 120, MODEL_RUNS = 8, MODEL_SEGMENTS = 64, MODEL_LENGTH_MAX = 65535 };

/* The runs in the order in which they are emitted: "0 1|2" is a run of packets 0 and 1, and then packet 2 alone. */
struct model_output {
	char text[MODEL_PACKETS * 4];
	int longest, current; /* packets in the longest run, and in the run being added */
};

static inline void model_output_begin(struct model_output *output)
{
	if (output->text[0])
		strcat(output->text, "|");
	output->current = 0;
}

static inline void model_output_add(struct model_output *output, int number)
{
	size_t end = strlen(output->text);

	snprintf(output->text + end, sizeof output->text - end, output->current ? " %d" : "%d", number);
	if (++output->current > output->longest)
		output->longest = output->current;
}

/* The fields of a packet without IP options and extension headers. */
struct model_packet {
	bool v6, udp, no_checksum, df, reserved;
	unsigned tos, label, ttl, id, source_port, destination_port, offset, nibble, flags, window, urgent;
	uint32_t sequence, ack;
	uint8_t source[16], destination[16], options[40];
	size_t payload;
};

/* The verdicts of coalesce.c: opaque, no flow, single, mergeable. */
enum model_kind { MODEL_OPAQUE, MODEL_NO_FLOW, MODEL_SINGLE, MODEL_MERGEABLE };

static inline bool model_is_extension(unsigned type)
{
	return type == 0 || type == 43 || type == 44 || type == 51 || type == 60;
}

/* Parses the IP header. Returns the offset of the transport header, or 0 with *kind set. */
static inline size_t model_read_ip(struct model_packet *packet, const uint8_t *p, size_t n, enum model_kind *kind)
{
	unsigned protocol;

	*kind = MODEL_OPAQUE;
	if (n < 20)
		return 0;
	packet->v6 = p[0] >> 4 == 6;
	if (packet->v6) {
		if (n < 40 || naive_get16(p + 4) != n - 40)
			return 0;
		packet->tos = (p[0] & 15u) << 4 | p[1] >> 4;
		packet->label = naive_get32(p) & 0xfffff;
		packet->ttl = p[7];
		protocol = p[6];
		memcpy(packet->source, p + 8, 16);
		memcpy(packet->destination, p + 24, 16);
	} else {
		if (p[0] != 0x45 || naive_get16(p + 2) != n || naive_get16(p + 6) & 0x3fff)
			return 0;
		packet->tos = p[1];
		packet->id = naive_get16(p + 4);
		packet->reserved = p[6] & 0x80;
		packet->df = p[6] & 0x40;
		packet->ttl = p[8];
		protocol = p[9];
		memcpy(packet->source, p + 12, 4);
		memcpy(packet->destination, p + 16, 4);
	}
	packet->udp = protocol == 17;
	if (protocol == 6 || protocol == 17)
		return packet->v6 ? 40 : 20;
	if (!packet->v6 || !model_is_extension(protocol))
		*kind = MODEL_NO_FLOW;
	return 0;
}

/* A UDP packet without a checksum can be checked over IPv4 only, by the checksum of the IP header. */
static inline bool model_checksums_valid(const struct model_packet *packet, const uint8_t *p, size_t n, size_t l4)
{
	if (!packet->v6 && naive_sum(0, p, 20) != 0xffff)
		return false;
	if (packet->no_checksum)
		return !packet->v6;
	return naive_sum(naive_pseudo(p, packet->udp ? 17 : 6, n - l4), p + l4, n - l4) == 0xffff;
}

static inline enum model_kind model_read_tcp(struct model_packet *packet, const uint8_t *tcp, size_t n)
{
	if (n < 20 || tcp[12] >> 4 < 5 || (tcp[12] >> 4) * 4u > n)
		return MODEL_OPAQUE;
	packet->sequence = naive_get32(tcp + 4);
	packet->ack = naive_get32(tcp + 8);
	packet->offset = tcp[12] >> 4;
	packet->nibble = tcp[12] & 15;
	packet->flags = tcp[13];
	packet->window = naive_get16(tcp + 14);
	packet->urgent = naive_get16(tcp + 18);
	memcpy(packet->options, tcp + 20, packet->offset * 4 - 20);
	packet->payload = n - packet->offset * 4;
	if (packet->flags & 0xa7) /* CWR URG RST SYN FIN */
		return MODEL_SINGLE;
	return packet->flags & 0x10 ? MODEL_MERGEABLE : MODEL_SINGLE;
}

static inline enum model_kind model_read(struct model_packet *packet, const uint8_t *p, size_t n)
{
	enum model_kind kind;
	size_t l4;

	memset(packet, 0, sizeof *packet);
	l4 = model_read_ip(packet, p, n, &kind);
	if (!l4)
		return kind;
	if (n - l4 < 8)
		return MODEL_OPAQUE;
	packet->source_port = naive_get16(p + l4);
	packet->destination_port = naive_get16(p + l4 + 2);
	if (packet->udp) {
		packet->payload = n - l4 - 8;
		packet->no_checksum = !naive_get16(p + l4 + 6);
		kind = naive_get16(p + l4 + 4) == n - l4 ? MODEL_MERGEABLE : MODEL_SINGLE;
	} else {
		kind = model_read_tcp(packet, p + l4, n - l4);
	}
	if (kind != MODEL_MERGEABLE)
		return kind;
	return packet->payload && model_checksums_valid(packet, p, n, l4) ? MODEL_MERGEABLE : MODEL_SINGLE;
}

struct model_run {
	struct model_packet first, last;
	size_t length; /* of the merged packet */
	int numbers[MODEL_SEGMENTS], count;
};

struct model {
	struct model_run runs[MODEL_RUNS + 1]; /* oldest first; the last slot is for a run that is emitted at once */
	int count;
};

static inline bool model_same_flow(const struct model_packet *a, const struct model_packet *b)
{
	return a->v6 == b->v6 && a->udp == b->udp && a->source_port == b->source_port &&
		   a->destination_port == b->destination_port && !memcmp(a->source, b->source, 16) &&
		   !memcmp(a->destination, b->destination, 16);
}

static inline bool model_same_header(const struct model_packet *a, const struct model_packet *b)
{
	return a->no_checksum == b->no_checksum && a->tos == b->tos && a->label == b->label && a->ttl == b->ttl &&
		   a->df == b->df && a->reserved == b->reserved && a->offset == b->offset && a->nibble == b->nibble &&
		   (a->flags | 8) == (b->flags | 8) && a->window == b->window && a->urgent == b->urgent && a->ack == b->ack &&
		   !memcmp(a->options, b->options, 40);
}

static inline bool model_continues(const struct model_run *run, const struct model_packet *packet)
{
	const struct model_packet *first = &run->first, *last = &run->last;

	if (!model_same_header(first, packet))
		return false;
	if (!packet->udp && packet->sequence != (uint32_t)(last->sequence + last->payload))
		return false;
	if (!packet->v6 && !packet->df && packet->id != ((last->id + 1) & 0xffff))
		return false;
	return packet->payload <= first->payload && run->length + packet->payload <= MODEL_LENGTH_MAX;
}

static inline void model_emit(struct model *model, struct model_output *output, int position)
{
	struct model_run *run = &model->runs[position];

	model_output_begin(output);
	for (int i = 0; i < run->count; i++)
		model_output_add(output, run->numbers[i]);
	model->count--;
	for (; position < model->count; position++)
		model->runs[position] = model->runs[position + 1];
}

static inline void model_flush(struct model *model, struct model_output *output)
{
	while (model->count)
		model_emit(model, output, 0);
}

/* Appends the packet to the run at `position`, and emits the run if no packet may follow. */
static inline void model_append(struct model *model, struct model_output *output, int position,
								const struct model_packet *packet, int number)
{
	struct model_run *run = &model->runs[position];

	run->last = *packet;
	run->length += packet->payload;
	run->numbers[run->count++] = number;
	if (packet->flags & 8 || packet->payload < run->first.payload || run->count == MODEL_SEGMENTS)
		model_emit(model, output, position);
}

static inline void model_open(struct model *model, struct model_output *output, const struct model_packet *packet,
							  size_t header, int number)
{
	if (model->count == MODEL_RUNS && !(packet->flags & 8))
		model_emit(model, output, 0);
	model->runs[model->count] = (struct model_run) { .first = *packet, .length = header };
	model_append(model, output, model->count++, packet, number);
}

static inline void model_single(struct model_output *output, int number)
{
	model_output_begin(output);
	model_output_add(output, number);
}

static inline void model_add(struct model *model, struct model_output *output, const uint8_t *p, size_t n, int number)
{
	struct model_packet packet;
	enum model_kind kind = model_read(&packet, p, n);

	if (kind == MODEL_OPAQUE)
		model_flush(model, output);
	if (kind == MODEL_OPAQUE || kind == MODEL_NO_FLOW) {
		model_single(output, number);
		return;
	}
	for (int position = 0; position < model->count; position++) {
		if (!model_same_flow(&model->runs[position].first, &packet))
			continue;
		if (kind == MODEL_MERGEABLE && model_continues(&model->runs[position], &packet)) {
			model_append(model, output, position, &packet, number);
			return;
		}
		model_emit(model, output, position);
		break;
	}
	if (kind == MODEL_MERGEABLE)
		model_open(model, output, &packet, n - packet.payload, number);
	else
		model_single(output, number);
}

#endif
