"""Leaves class and module attributes out of the API pages, where Griffe would show the docstring of their type."""

from typing import Any

from griffe import Attribute, Extension


class WithoutAttributes(Extension):
    """Objects without a docstring are not shown."""

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        """Take the docstring away."""
        attr.docstring = None
