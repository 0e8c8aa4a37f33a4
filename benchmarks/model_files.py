"""Spoils model files in thousands of ways, tries hostile files, and counts what is refused and what else happens.

    python -m benchmarks.model_files --out benchmarks/results/model_files.json

Three parts, each tried in child processes: changes of any byte, which the digest shows; changes behind the digest,
which is made right again as an attacker would; files made to run code or to take memory or time.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from experiments.provenance import provenance

from benchmarks.golden_files import NAMES, golden
from benchmarks.hostile_files import HOSTILE, MARKER, write_hostile
from benchmarks.mutations import WAYS
from benchmarks.trials import SOUND, Outcome, Trials


def _write_bytes(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def spoil(way: str, number: int, name: str, folder: Path) -> list[Outcome]:
    """Outcomes of `count` copies of a golden file, spoiled in one of `WAYS`."""
    data = golden(name).path.read_bytes()
    with closing(Trials(folder, name)) as trials:
        return [trials.attempt(partial(_write_bytes, WAYS[way](data, seed))) for seed in range(number)]


def try_hostile(name: str, folder: Path) -> Outcome:
    """The outcome of one hostile file, in its own child process."""
    with closing(Trials(folder, NAMES[0])) as trials:
        outcome = trials.attempt(partial(write_hostile, name))
    return outcome._replace(verdict="code ran") if (folder / MARKER).exists() else outcome


def counted(outcomes: list[Outcome]) -> dict[str, Any]:
    """Outcomes by verdict, and the worst of time and memory."""
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    return {
        "files": len(outcomes),
        **{verdict: verdicts.pop(verdict, 0) for verdict in SOUND},
        "faults": dict(verdicts),
        "most seconds": round(max(outcome.seconds for outcome in outcomes), 2),
        "most megabytes": round(max(outcome.megabytes for outcome in outcomes), 1),
    }


def measured(number: int, behind: int) -> dict[str, Any]:
    """The outcomes of changes of any byte, of each kind of change behind the digest, and of every hostile file."""
    found: dict[str, Any] = {"golden files": NAMES}
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            share = -(-(number if way == "any byte" else behind) // len(NAMES))
            found[way] = counted(
                [outcome for name in NAMES for outcome in spoil(way, share, name, Path(folder))]
            )
            print(way, found[way], flush=True)
        hostile = {name: try_hostile(name, Path(folder)) for name in HOSTILE}
        found["hostile"] = counted(list(hostile.values()))
        found["each hostile file"] = {
            name: {
                "verdict": outcome.verdict,
                "said": outcome.said.replace(folder, "..."),
                "seconds": round(outcome.seconds, 2),
                "megabytes": round(outcome.megabytes, 1),
            }
            for name, outcome in hostile.items()
        }
    return found


def summary(path: Path) -> Iterator[str]:
    """A table of the outcomes, with a line for each part."""
    result = json.loads(path.read_text())
    yield "| what | files | refused | ... when scoring | for other rows | scored, finite | faults | s | MB |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for part in (*WAYS, "hostile"):
        row = result[part]
        counts = (
            row[key] for key in ("files", "refused", "refused when scoring", "for other rows", "scored")
        )
        yield (
            f"| {part} | {' | '.join(f'{count:,}' for count in counts)} | {sum(row['faults'].values())} | "
            f"{row['most seconds']:.2f} | {row['most megabytes']:.0f} |"
        )


def main() -> None:
    """Run all, write the result and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--number", type=int, default=10_000, help="changes of any byte")
    parser.add_argument("--behind", type=int, default=1_000, help="changes of each kind behind the digest")
    arguments = parser.parse_args()
    result = measured(arguments.number, arguments.behind) | provenance()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print("\n".join(summary(arguments.out)))


if __name__ == "__main__":
    main()
