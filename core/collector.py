"""Pause the cyclic garbage collector where much is built and nothing can be freed yet."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Make no passes of the collector meanwhile, in any thread; also usable as a decorator.

    Planning 10,000 patches makes some 300,000 objects without cycles that live to its end. Looking
    at them again and again took a quarter of the time. The pause is as short as the call, so what
    other threads leave behind does not pile up, as it would under a higher threshold.
    """
    if not gc.isenabled():  # somebody else has paused it, and ends that pause
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
