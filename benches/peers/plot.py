"""The ratios as a picture: a panel for each model and precision, shapes from left to right."""

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text: smaller, and can be searched
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)

from report import ratio, rival  # noqa: E402

TICKS = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16]


def draw(results, file):
    """Writes the picture; panels without a rival of nervio's are left out."""
    panels = []
    for model, found in results["models"].items():
        for ours in ("nervio f32", "nervio int8"):
            engines = [
                name
                for name in next(iter(found["ms"].values()), {})
                if rival(name) == ours and not name.startswith("nervio")
            ]
            if engines and ours in next(iter(found["ms"].values())):
                panels.append((model, ours, engines, found["ms"]))
    if not panels:
        return
    columns = 2 if len(panels) > 1 else 1
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(7 * columns, 3.2 * rows), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for axis, (model, ours, engines, times) in zip(axes.flat, panels):
        shapes = list(times)
        for engine in engines:
            values = [ratio(times[shape], engine) for shape in shapes]
            axis.plot(shapes, values, marker="o", label=engine)
        axis.axhline(1, color="black", linewidth=1)
        # Half and twice the time lie equally far from 1.
        axis.set_yscale("log", base=2)
        bottom, top = axis.get_ylim()
        bottom = min(0.75, bottom)
        axis.set_yticks([tick for tick in TICKS if bottom <= tick <= top])
        axis.yaxis.set_major_formatter("{x:g}")
        axis.set_ylim(bottom, top)
        axis.set_title(f"{model}: time of others over {ours}", fontsize=10)
        axis.set_ylabel("above 1: nervio is faster", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(axis="y", alpha=0.3)
        # Beside the panel, in the order of its lines from top to bottom: inside, it would hide some.
        lines = sorted(axis.lines[: len(engines)], key=lambda line: -line.get_ydata()[-1])
        axis.legend(handles=lines, fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    figure.savefig(file)
    plt.close(figure)
