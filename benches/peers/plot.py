"""The ratios as a picture: a panel for each model and precision, shapes from left to right."""

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text: smaller, and can be searched
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)

from report import ratio, rival  # noqa: E402


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
    figure, axes = plt.subplots(rows, columns, figsize=(6 * columns, 3.2 * rows), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for axis, (model, ours, engines, times) in zip(axes.flat, panels):
        shapes = list(times)
        for engine in engines:
            values = [ratio(times[shape], engine) for shape in shapes]
            axis.plot(shapes, values, marker="o", label=engine)
        axis.axhline(1, color="black", linewidth=1)
        axis.set_ylim(bottom=0)
        axis.set_title(f"{model}: time of others over {ours}", fontsize=10)
        axis.set_ylabel("above 1: nervio is faster", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(axis="y", alpha=0.3)
        axis.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(file)
    plt.close(figure)
