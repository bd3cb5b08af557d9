/* SPDX-License-Identifier: MIT */
/*
 * The quality of the link to a peer.
 *
 * Each initiation has an index of its own, and so has each response. An answer therefore belongs to exactly one
 * message, and a repeated message makes no sample ambiguous. A message that was answered by a cookie reply is not
 * answered otherwise; the initiation that carries the cookie is a new message with a time of its own. The times that
 * both ends need for their curve operations are part of a sample.
 */
#include "tunnel/quality.h"

#include "crypto/message.h"

void quality_counts(const struct quality *quality, const struct session_slots *slots, uint64_t now,
					struct replay_counts *sum)
{
	struct session *const sessions[] = { slots->previous, slots->current, slots->next };

	*sum = quality->past;
	for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++)
		if (sessions[i])
			session_count(sessions[i], now, sum);
}

void quality_session_ends(struct quality *quality, struct session *session)
{
	session_count(session, UINT64_MAX, &quality->past);
}

/*
 * The jitter is that of RFC 3550, section 6.4.1, with round-trip times in place of transit times. It starts with the
 * first difference instead of 0, because a handshake comes only every two minutes.
 */
static void add_sample(struct quality *quality, uint64_t *sent, uint64_t now)
{
	uint64_t rtt = now - *sent, change;

	if (!*sent || now <= *sent || rtt > REKEY_TIMEOUT)
		return;
	*sent = 0;
	change = rtt > quality->rtt ? rtt - quality->rtt : quality->rtt - rtt;
	if (quality->samples == 1)
		quality->jitter = change;
	else if (quality->samples > 1)
		quality->jitter = quality->jitter - quality->jitter / 16 + change / 16;
	quality->rtt = rtt;
	if (!quality->rtt_min || rtt < quality->rtt_min)
		quality->rtt_min = rtt;
	quality->samples++;
}

void quality_response_received(struct quality *quality, uint64_t now)
{
	add_sample(quality, &quality->initiation_sent, now);
}

void quality_confirmed(struct quality *quality, struct session *session, uint64_t now)
{
	if (session_began_in_order(session))
		add_sample(quality, &quality->response_sent, now);
}
