"""Trees that scikit-learn's compiled code walks: on the CPU ten times as fast as tensors, with the same bits."""

import functools
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._shared.warn import warn

try:
    from sklearn.ensemble._gradient_boosting import predict_stages
    from sklearn.tree._tree import NODE_DTYPE, Tree
except ImportError:  # scikit-learn does not promise these imports
    AVAILABLE = False
else:
    AVAILABLE = True


@functools.cache
def warn_of_slow_trees() -> None:
    """Say once that trees are walked without compiled code."""
    warn(
        "this version of scikit-learn lacks the compiled code that walks trees, so scoring and training take up to "
        "ten times as long, with the same scores; an earlier version of scikit-learn avoids this",
    )


class CompiledTrees:
    """The arrays of a `Forest` as scikit-learn's trees.

    Compiled code trusts them: children must lie in the tree of their parent, behind it.

    Parameters
    ----------
    arrays
        Of a `Forest`, by name.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        roots, count = arrays["roots"], len(arrays["columns"])
        own, ends = np.arange(count), np.append(roots[1:], count)
        leaf, root = arrays["left"] == own, np.repeat(roots, ends - roots)
        nodes = np.zeros(count, dtype=NODE_DTYPE)
        nodes["left_child"] = np.where(leaf, -1, arrays["left"] - root)
        nodes["right_child"] = np.where(leaf, -1, arrays["right"] - root)
        nodes["feature"], nodes["threshold"] = arrays["columns"], arrays["cuts"]
        values = arrays["values"].astype(np.float64)[:, None, None]
        self._width = int(arrays["columns"].max()) + 1
        self._trees = np.array(
            [
                [
                    SimpleNamespace(tree_=_tree(nodes[start:end], values[start:end]))
                    for start, end in zip(roots, ends, strict=True)
                ]
            ]
        )

    def said(self, rows: NDArray[np.float32], trees: NDArray[np.intp] | slice) -> NDArray[np.float32]:
        """What each of some trees says of rows (B, F): (B, trees)."""
        if rows.shape[1] < self._width:
            raise IndexError(f"trees ask about number {self._width} of rows of {rows.shape[1]}")
        walking = self._trees[:, trees]
        found = np.zeros((len(rows), walking.shape[1]))
        predict_stages(walking, np.ascontiguousarray(rows), 1.0, found)
        return found.astype(np.float32)


def _tree(nodes: NDArray[Any], values: NDArray[np.float64]) -> Any:
    tree = Tree(1, np.ones(1, dtype=np.intp), 1)
    tree.__setstate__({"max_depth": 0, "node_count": len(nodes), "nodes": nodes, "values": values})
    return tree
