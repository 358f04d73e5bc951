"""Templates filled, with every value of the data escaped."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from zeroloop.plain_text import plain


def render(template: str, context: dict[str, Any]) -> str:
    """Return a template of this folder, filled."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    text = (files("zeroloop.report") / template).read_text("utf-8")
    return environment.from_string(text).render(context)


def _shown(value: Any) -> Any:
    """Return what is shown of a value: text as it is, but nothing that hides or turns what follows."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
