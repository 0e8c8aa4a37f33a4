"""Values as a page shows them."""

LONGEST_TEXT = 48


def as_count(value: int) -> str:
    """Write a number with commas."""
    return f"{value:,}"


def as_percent(share: float) -> str:
    """Write a share in percent."""
    return f"{100 * share:.3g}%"


def as_decimal(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "\u2212")


def as_p_value(value: float) -> str:
    """Write a p-value, a tiny one as a power of ten."""
    return f"{value:.2g}" if value >= 0.0001 else f"{value:.0e}"


def as_visible(value: object) -> str:
    """Show a value as one line of text: no line breaks and no characters that cannot be seen."""
    if value is None:
        return "missing"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    shown = " ".join(text.split()) or "(empty)"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in shown)


def shortened(text: str) -> str:
    """Cut a long text, and show that it was cut."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "\u2026"
