"""Takes the pictures of the triage page: rows of NSL-KDD, with answers, in Debian's chromium.

    python -m benchmarks.triage_picture --folder SCRATCH [--out docs/pictures/triage.png]

All sizes, light and dark, go to the folder; the laptop's goes to `--out` too.
"""

import argparse
import os
import shutil
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from alarmnet.datasets import load_nsl_kdd
from benchmarks.triage import Server
from benchmarks.triage_client import shown

ROWS, LOOKS = 4_000, 42
SIZES = {"laptop": (1366, 768), "desk": (1920, 1080), "phone": (390, 844)}


def flows(folder: Path) -> tuple[Path, set[str]]:
    """Some rows as a table, without their classes, and the names of those that are attacks."""
    found = load_nsl_kdd()
    chosen = np.random.default_rng(0).choice(len(found.frame), ROWS, replace=False)
    table = found.frame.take(chosen).to_pandas()
    classes = np.asarray(found.classes)[chosen]
    names = [f"flow-{row}" for row in chosen]
    keep = (classes == "normal") | (np.random.default_rng(1).random(ROWS) < 0.08)
    attacks = {name for name, known in zip(names, classes, strict=True) if known != "normal"}
    table.assign(flow=names)[keep].to_csv(folder / "flows.csv", index=False)
    return folder / "flows.csv", attacks


def taken(browser: Browser, server: Server, folder: Path) -> None:
    """Every size, light and dark."""
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
            context.add_cookies(server.cookies())
            page = context.new_page()
            page.goto(f"http://{server.host}:{server.port}/")
            page.screenshot(path=folder / f"{size}-{scheme}.png")
            for name in ("history", "export"):
                page.goto(f"http://{server.host}:{server.port}/{name}")
                page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
            context.close()


def main() -> None:
    """Answer some rows, then take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    data, attacks = flows(chosen.folder)
    (chosen.folder / "answers.sqlite").unlink(missing_ok=True)
    words = ["--id", "flow", "--labels", str(chosen.folder / "answers.sqlite"), "--reviewer", "Ann"]
    with Server(str(data), *words, "--reason", "probe", "--reason", "flood", "--reason", "misuse") as server:
        key = shown(server.get("/"))
        for _ in range(LOOKS):
            verdict = "anomaly" if key in attacks else "normal"
            key = shown(server.post("/answer", {"key": key, "verdict": verdict})["row"])
            server.wait_until_learned()
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
            taken(browser, server, chosen.folder)
            browser.close()
    if chosen.out:
        shutil.copy(chosen.folder / "laptop-light.png", chosen.out)


if __name__ == "__main__":
    main()
