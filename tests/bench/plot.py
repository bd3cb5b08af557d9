# SPDX-License-Identifier: MIT
"""The plot of a run: bars for each tunnel, as SVG for light and dark backgrounds."""

from html import escape

from report import median, values

PANELS = (("CPU of both daemons, TCP, one flow: ns per byte (lower is better)", "TCP 1 flow CPU ns/B"),
          ("TCP, one flow: Gbit/s", "TCP 1 flow Gbit/s"),
          ("UDP, 64 bytes: thousand datagrams per second", "UDP 64 B kpps"))
WIDTH, LEFT, RIGHT, TOP, STEP, BAR, PANEL_GAP = 760, 180, 80, 56, 22, 14, 44
STYLE = """
	text { font: 12px sans-serif; fill: #24292f }
	.title { font-size: 16px; font-weight: bold }
	.panel { font-weight: bold }
	.small { font-size: 11px; fill: #57606a }
	.adit { fill: #0969da }
	.relay { fill: #8c959f }
	.veth { fill: #d0d7de }
	.other { fill: #bf8700 }
	.range { stroke: #24292f; stroke-width: 1 }
	@media (prefers-color-scheme: dark) {
		text { fill: #e6edf3 }
		.small { fill: #9198a1 }
		.adit { fill: #4493f8 }
		.relay { fill: #6e7681 }
		.veth { fill: #3d444d }
		.other { fill: #d29922 }
		.range { stroke: #e6edf3 }
	}
"""


def kind(name):
    word = name.split()[0].split("=")[0]
    return {"veth": "veth", "relay": "relay", "adit": "adit", "TunBackend": "adit", "Workers": "adit"}.get(word, "other")


def text(x, y, content, style="", anchor="start"):
    return f'<text x="{x}" y="{y}" class="{style}" text-anchor="{anchor}">{escape(content)}</text>'


def bar(y, name, found, scale):
    """Draws the median as a bar and the range of the rounds as a line. Both are clipped at the end of the scale."""
    value, room = median(found), WIDTH - LEFT - RIGHT
    length = min(value / scale, 1) * room
    low, high = (LEFT + min(end / scale, 1) * room for end in (min(found), max(found)))
    label = (f"{value:.2f}" if value < 100 else f"{value:.0f}") + (" →" if value > scale else "")
    middle = y + BAR / 2
    return [text(LEFT - 8, y + 11, name, anchor="end"),
            f'<rect class="{kind(name)}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}"/>',
            f'<line class="range" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>',
            text(round(max(LEFT + length, high)) + 6, y + 11, label)]


def panel(y, title, figure, rows, rounds):
    shown = [(row.name, values(rounds, row.name, figure)) for row in rows]
    shown = [(name, found) for name, found in shown if found]
    scale = max((max(found) for name, found in shown if name != "veth"), default=1)
    parts = [text(LEFT, y, title, "panel")]
    for number, (name, found) in enumerate(shown):
        parts += bar(y + 10 + number * STEP, name, found, scale)
    return parts, y + 10 + len(shown) * STEP + PANEL_GAP


def draw(plan, rounds, machine):
    parts, y = [text(20, 26, "adit, the minimal data path and other tunnels", "title"),
                text(20, 42, machine, "small")], TOP + 24
    for title, figure in PANELS:
        more, y = panel(y, title, figure, plan.rows, rounds)
        parts += more
    parts.append(text(20, y - 16, f"bars: median of {len(rounds)} rounds; lines: lowest to highest value", "small"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}">'
    return "\n".join(["<!-- SPDX-License-Identifier: MIT -->", head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])
