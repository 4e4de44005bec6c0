"""How far long work has come, in a terminal or a notebook."""

import logging
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

Show = Callable[[int, int, str], None]


class Remarks:
    """What the work calls now and then, in the thread that began it. Remarks go to the logger `resonetics`; nothing is shown."""

    def show(self, done: int, total: int, message: str) -> None:
        """Shows nothing."""

    def remark(self, line: str) -> None:
        """Logs it as a warning."""
        logging.getLogger("resonetics").warning("%s", line)


class Called(Remarks):
    """Calls a function of the user with what is new."""

    def __init__(self, function: Show) -> None:
        self._function = function
        self._last: tuple[int, int, str] | None = None

    def show(self, done: int, total: int, message: str) -> None:
        """Calls it if anything has changed."""
        if (done, total, message) != self._last:
            self._last = (done, total, message)
            self._function(done, total, message)


class Bar(Remarks):
    """A bar of tqdm."""

    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, done: int, total: int, message: str) -> None:
        """Draws it once there is something to count."""
        if not total:
            return
        if self._bar is None or self._bar.total != total:
            self.close()
            self._bar = bar_of_here()(total=total, leave=False)
        self._bar.set_postfix_str(message, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Takes it away."""
        if self._bar is not None:
            self._bar.close()


def bar_of_here() -> Any:
    """The bar of a notebook where there are widgets, else one of letters; imported when there is something to show."""
    if "ipykernel" in sys.modules and find_spec("ipywidgets") is not None:
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    return tqdm


def shown(progress: bool | Show | None) -> Remarks:
    """What `progress=` means: a function, a bar or nothing; a bar in terminals and notebooks if nobody says."""
    if callable(progress):
        return Called(progress)
    if progress is None:
        progress = sys.stderr.isatty() or "ipykernel" in sys.modules
    return Bar() if progress else Remarks()
