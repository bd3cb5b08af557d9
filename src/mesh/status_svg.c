/* SPDX-License-Identifier: MIT */
/*
 * Status: the matrix as a picture. With few hosts each cell contains its text. With many, cells are small squares, and
 * neighbours that look the same and are good are drawn as one, so that 2000 hosts fit a file; the others have their
 * text as a tooltip.
 */
#include "base/svg.h"
#include "status_render.h"

enum { TEXT_HOSTS_MAX = 30 };

#define MARGIN 24.0
#define CELL_HEIGHT 24.0
#define SMALL_CELL 12.0

static const char *const classes[] = {
	[REACH_NONE] = "none", [REACH_UP] = "up",        [REACH_IDLE] = "idle",       [REACH_RELAYED] = "relayed",
	[REACH_DOWN] = "down", [REACH_MISSING] = "down", [REACH_UNKNOWN] = "unknown",
};
_Static_assert(sizeof classes / sizeof *classes == REACH_KINDS, "each kind of cell has a class");

static const char style[] = ".none{fill:#e8ebef}\n"
							".up{fill:#3fb950}\n"
							".idle{fill:#a5d6a7}\n"
							".relayed{fill:#79c0a0}\n"
							".down{fill:#f85149}\n"
							".unknown{fill:#d0a215}\n"
							".cell{stroke:#ffffff}\n";
static const char dark_style[] = ".none{fill:#21262d}\n.cell{stroke:#0d1117}\n";

struct matrix_drawing {
	FILE *to;
	const struct status_matrix *matrix;
	bool has_text; /* each cell has its text */
	double cell_width, cell_height, left, top;
};

static void measure_matrix(struct matrix_drawing *drawing)
{
	const struct host_list *list = drawing->matrix->list;
	double name_width = 0;

	drawing->has_text = list->count <= TEXT_HOSTS_MAX;
	drawing->cell_width = drawing->cell_height = drawing->has_text ? CELL_HEIGHT : SMALL_CELL;
	for (size_t from = 0; from < list->count; from++) {
		double width = svg_text_width(list->hosts[from].name);

		name_width = width > name_width ? width : name_width;
		for (size_t to = 0; to < list->count && drawing->has_text; to++) {
			struct status_cell cell = status_matrix_cell(drawing->matrix, from, to);
			char text[STATUS_CELL];

			width = svg_text_width(status_cell_text(text, drawing->matrix, &cell)) + SVG_GAP;
			drawing->cell_width = width > drawing->cell_width ? width : drawing->cell_width;
		}
	}
	drawing->left = MARGIN + name_width + SVG_GAP;
	drawing->top = 3 * SVG_LINE_HEIGHT + name_width + SVG_GAP;
}

static void draw_cell(const struct matrix_drawing *drawing, size_t from, size_t to)
{
	const struct status_matrix *matrix = drawing->matrix;
	const struct host_list *list = matrix->list;
	struct status_cell cell = status_matrix_cell(matrix, from, to);
	double x = drawing->left + (double)to * drawing->cell_width, y = drawing->top + (double)from * drawing->cell_height;
	char text[STATUS_CELL];

	status_cell_text(text, matrix, &cell);
	fprintf(drawing->to, "<g><title>%s to %s: ", list->hosts[from].name, list->hosts[to].name);
	svg_text(drawing->to, matrix->hosts[from].outcome == STATUS_FAILED ? matrix->hosts[from].reason : text);
	if (cell.peer && *cell.peer->reason) {
		fputs(": ", drawing->to);
		svg_text(drawing->to, cell.peer->reason);
	}
	fprintf(drawing->to, "</title><rect class=\"cell %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
			classes[cell.reach], x, y, drawing->cell_width, drawing->cell_height);
	if (drawing->has_text) {
		fprintf(drawing->to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x + drawing->cell_width / 2,
				y + drawing->cell_height / 2 + 4);
		svg_text(drawing->to, text);
		fputs("</text>", drawing->to);
	}
	fputs("</g>\n", drawing->to);
}

/* Draws cells from `to` on that look the same. Returns how many. */
static size_t draw_run(const struct matrix_drawing *drawing, size_t from, size_t to)
{
	enum status_reach reach = status_matrix_cell(drawing->matrix, from, to).reach;
	size_t end = to + 1;

	if (drawing->has_text || (reach != REACH_NONE && !status_reach_good(reach))) {
		draw_cell(drawing, from, to);
		return 1;
	}
	while (end < drawing->matrix->list->count && status_matrix_cell(drawing->matrix, from, end).reach == reach)
		end++;
	fprintf(drawing->to, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", classes[reach],
			drawing->left + (double)to * drawing->cell_width, drawing->top + (double)from * drawing->cell_height,
			(double)(end - to) * drawing->cell_width, drawing->cell_height);
	return end - to;
}

/* The names on the left and, turned by 90 degrees, at the top. */
static void draw_names(const struct matrix_drawing *drawing)
{
	const struct host_list *list = drawing->matrix->list;

	for (size_t i = 0; i < list->count; i++) {
		double x = drawing->left + ((double)i + 0.5) * drawing->cell_width;
		double y = drawing->top + ((double)i + 0.5) * drawing->cell_height;

		fprintf(drawing->to,
				"<text class=\"name\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n"
				"<text class=\"name\" transform=\"translate(%.1f %.1f) rotate(-90)\" y=\"4\">%s</text>\n",
				drawing->left - SVG_GAP, y + 4, list->hosts[i].name, x, drawing->top - SVG_GAP, list->hosts[i].name);
	}
}

void status_svg(FILE *to, const struct status_matrix *matrix)
{
	struct matrix_drawing drawing = { .to = to, .matrix = matrix };
	const struct host_list *list = matrix->list;
	char title[128];
	double width, title_width;

	measure_matrix(&drawing);
	snprintf(title, sizeof title, "%s: %zu of %zu hosts answered; %zu of %zu directions work", list->interface,
			 matrix->answered, list->count, matrix->reached, matrix->wanted);
	title_width = svg_text_width(title) + 2 * MARGIN;
	width = drawing.left + (double)list->count * drawing.cell_width + MARGIN;
	svg_begin(to, width > title_width ? width : title_width,
			  drawing.top + (double)list->count * drawing.cell_height + MARGIN, list->interface, style, dark_style);
	fprintf(to, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", MARGIN, 1.7 * SVG_LINE_HEIGHT, title);
	draw_names(&drawing);
	for (size_t from = 0; from < list->count; from++)
		for (size_t column = 0; column < list->count;)
			column += draw_run(&drawing, from, column);
	svg_end(to);
}
