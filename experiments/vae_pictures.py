"""Draws the synthetic anomalies of A3's experiment 4, which its VAE makes from normal images.

python -m experiments.vae_pictures 4a --out docs/pictures/vae.png
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alarmnet import VaeAnomalies
from alarmnet.preprocessing.row_store import TensorRows
from experiments.data import rows_of
from experiments.tables import load_table

SHOWN = 16
SPREADS = (1.0, 5.0, 20.0)
"""Standard deviations of the noise that is added to a code; the paper's is 5."""


def counterexamples(images: np.ndarray, spread: float, *, seed: int) -> np.ndarray:
    """Synthetic anomalies (SHOWN, H, W) that a VAE, trained on images (N, H, W), makes of the first images."""
    rows = torch.from_numpy(images.astype(np.float32) / 255).unsqueeze(1)
    sample = VaeAnomalies(spread=spread).sampler(TensorRows(rows), seed=seed)
    return sample(rows[:SHOWN], torch.Generator().manual_seed(seed)).squeeze(1).numpy()


def draw(images: np.ndarray, path: Path, *, seed: int) -> None:
    """A line of normal images, and below it one line for each spread."""
    lines = {"normal images": images[:SHOWN] / 255}
    for spread in SPREADS:
        lines[f"decoded from their codes plus N(0, {spread:g})"] = counterexamples(images, spread, seed=seed)
    figure = Figure(figsize=(9, 0.95 * len(lines)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, shown) in zip(figure.subplots(len(lines)), lines.items(), strict=True):
        axes.imshow(np.concatenate(list(shown), axis=1), cmap="gray", vmin=0, vmax=1)
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Train the VAE on a row's normal images, once for each spread, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("row", choices=list(load_table("a3-table-4").rows))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    table = load_table("a3-table-4")
    rows = rows_of(table, table.rows[arguments.row], known=0, seed=arguments.seed)
    draw(np.asarray(rows.train.X), arguments.out, seed=arguments.seed)


if __name__ == "__main__":
    main()
