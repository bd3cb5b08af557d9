/* SPDX-License-Identifier: MIT */
/* Status: the matrix. */
#include "status_matrix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/amount.h"

/* --- peers of hosts ----- */

/* A text by which a host is found, its public key or its name. */
struct host_entry {
	const char *text;
	int32_t host;
};

static int compare_host_entries(const void *left, const void *right)
{
	const struct host_entry *a = left, *b = right;

	return strcmp(a->text, b->text);
}

/* Enters the peers of each host, found by `entries`, where no peer is entered yet. */
static void enter_peers(struct status_matrix *matrix, const struct host_entry *entries, size_t count, bool by_key)
{
	for (size_t row = 0; row < matrix->list->count; row++) {
		const struct status_host *host = &matrix->hosts[row];

		for (size_t i = 0; i < host->peer_count && host->outcome == STATUS_ANSWERED; i++) {
			const struct status_peer *peer = &host->peers[i];
			const struct host_entry wanted = { .text = by_key ? peer->public_key : peer->name };
			const struct host_entry *found = NULL;
			int32_t *index;

			if (*wanted.text && count)
				found = bsearch(&wanted, entries, count, sizeof *entries, compare_host_entries);
			if (!found)
				continue;
			index = &matrix->peers[row * matrix->list->count + (size_t)found->host];
			if (*index < 0)
				*index = (int32_t)i;
		}
	}
}

/*
 * The key of a host is known from its own answer. The peers of other hosts are found by the name that adit mesh gave
 * them.
 */
static int find_peers(struct status_matrix *matrix)
{
	size_t count = matrix->list->count, used = 0;
	struct host_entry *entries = calloc(count + 1, sizeof *entries);

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (*matrix->hosts[i].public_key)
			entries[used++] = (struct host_entry) { matrix->hosts[i].public_key, (int32_t)i };
	qsort(entries, used, sizeof *entries, compare_host_entries);
	enter_peers(matrix, entries, used, true);
	used = 0;
	for (size_t i = 0; i < count; i++)
		if (!*matrix->hosts[i].public_key)
			entries[used++] = (struct host_entry) { matrix->list->hosts[i].name, (int32_t)i };
	qsort(entries, used, sizeof *entries, compare_host_entries);
	enter_peers(matrix, entries, used, false);
	free(entries);
	return 0;
}

/* --- cells ----- */

/* The cell of a tunnel. `from` and `to` are peers of each other. */
static struct status_cell tunnel_cell(const struct status_matrix *matrix, size_t from, size_t to)
{
	struct status_cell cell = { .reach = REACH_UNKNOWN, .hub = TOPOLOGY_NOWHERE };
	int32_t index;

	if (matrix->hosts[from].outcome == STATUS_SKIPPED && matrix->hosts[to].outcome == STATUS_ANSWERED) {
		size_t other = from;

		from = to;
		to = other;
	}
	if (matrix->hosts[from].outcome != STATUS_ANSWERED)
		return cell;
	index = matrix->peers[from * matrix->list->count + to];
	if (index < 0) {
		cell.reach = REACH_MISSING;
		return cell;
	}
	cell.peer = &matrix->hosts[from].peers[index];
	if (strcmp(cell.peer->state, "up") == 0)
		cell.reach = REACH_UP;
	else if (strcmp(cell.peer->state, "idle") == 0)
		cell.reach = REACH_IDLE;
	else
		cell.reach = REACH_DOWN;
	return cell;
}

bool status_reach_good(enum status_reach reach)
{
	return reach == REACH_UP || reach == REACH_IDLE || reach == REACH_RELAYED;
}

struct status_cell status_matrix_cell(const struct status_matrix *matrix, size_t from, size_t to)
{
	struct status_cell none = { .reach = REACH_NONE, .hub = TOPOLOGY_NOWHERE }, first, second;
	int next = from == to ? TOPOLOGY_NOWHERE : topology_next_hop(matrix->topology, from, to);

	if (next == TOPOLOGY_NOWHERE)
		return none;
	first = tunnel_cell(matrix, from, (size_t)next);
	if ((size_t)next == to)
		return first;
	second = tunnel_cell(matrix, (size_t)next, to);
	if (!status_reach_good(first.reach) || !status_reach_good(second.reach)) {
		bool unknown = first.reach == REACH_UNKNOWN || second.reach == REACH_UNKNOWN;
		bool down = first.reach == REACH_DOWN || second.reach == REACH_DOWN || first.reach == REACH_MISSING ||
					second.reach == REACH_MISSING;

		return (struct status_cell) { .reach = unknown && !down ? REACH_UNKNOWN : REACH_DOWN, .hub = next };
	}
	return (struct status_cell) { .reach = REACH_RELAYED, .hub = next };
}

/* "12.3 ms, 1 %": what is known of round-trip time and loss; else the state. */
static void tunnel_text(char text[STATUS_CELL], const struct status_peer *peer)
{
	char rtt[AMOUNT_TEXT] = "", loss[AMOUNT_TEXT] = "";
	uint64_t all = peer->rx_datagrams + peer->rx_lost;

	if (peer->rtt_ns)
		amount_latency(rtt, peer->rtt_ns);
	if (peer->rx_lost && all >= peer->rx_lost)
		amount_percent(loss, peer->rx_lost, all);
	if (*rtt || *loss)
		snprintf(text, STATUS_CELL, "%.20s%s%.20s", rtt, *rtt && *loss ? ", " : "", loss);
	else
		snprintf(text, STATUS_CELL, "%s", peer->state);
}

const char *status_cell_text(char text[STATUS_CELL], const struct status_matrix *matrix, const struct status_cell *cell)
{
	const char *hub = cell->hub == TOPOLOGY_NOWHERE ? "" : matrix->list->hosts[cell->hub].name;

	switch (cell->reach) {
	case REACH_UP:
		tunnel_text(text, cell->peer);
		break;
	case REACH_IDLE:
		snprintf(text, STATUS_CELL, "idle");
		break;
	case REACH_RELAYED:
		snprintf(text, STATUS_CELL, "via %.40s", hub);
		break;
	case REACH_DOWN:
		if (cell->peer)
			snprintf(text, STATUS_CELL, "%s", cell->peer->state);
		else
			snprintf(text, STATUS_CELL, "not via %.36s", hub);
		break;
	case REACH_MISSING:
		snprintf(text, STATUS_CELL, "no peer");
		break;
	case REACH_UNKNOWN:
		snprintf(text, STATUS_CELL, "?");
		break;
	case REACH_NONE:
	case REACH_KINDS:
		snprintf(text, STATUS_CELL, "-");
		break;
	}
	return text;
}

/* --- all ----- */

static void count_directions(struct status_matrix *matrix)
{
	size_t count = matrix->list->count;

	for (size_t i = 0; i < count; i++) {
		matrix->answered += matrix->hosts[i].outcome == STATUS_ANSWERED;
		matrix->failed += matrix->hosts[i].outcome == STATUS_FAILED;
	}
	for (size_t from = 0; from < count; from++) {
		for (size_t to = 0; to < count; to++) {
			enum status_reach reach = status_matrix_cell(matrix, from, to).reach;

			if (reach == REACH_NONE)
				continue;
			if (reach == REACH_UNKNOWN && matrix->hosts[from].outcome == STATUS_SKIPPED &&
				matrix->hosts[to].outcome == STATUS_SKIPPED) {
				matrix->unchecked++;
				continue;
			}
			matrix->wanted++;
			matrix->reached += status_reach_good(reach);
		}
	}
}

int status_matrix_init(struct status_matrix *matrix, const struct topology *topology, const struct status_host *hosts)
{
	size_t cells = topology->list->count * topology->list->count;
	int error;

	*matrix = (struct status_matrix) { .list = topology->list, .topology = topology, .hosts = hosts };
	matrix->peers = malloc((cells + 1) * sizeof *matrix->peers);
	if (!matrix->peers)
		return -ENOMEM;
	for (size_t i = 0; i < cells; i++)
		matrix->peers[i] = -1;
	error = find_peers(matrix);
	if (!error)
		count_directions(matrix);
	return error;
}

void status_matrix_destroy(struct status_matrix *matrix)
{
	free(matrix->peers);
	matrix->peers = NULL;
}

bool status_matrix_good(const struct status_matrix *matrix)
{
	return matrix->reached == matrix->wanted && !matrix->failed;
}
