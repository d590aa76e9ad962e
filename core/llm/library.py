"""Load the model library on first use, without network, and quiet.

Importing it takes seconds and 160 MB, fetches a price list unless told not to, and logs what it is sent; so it is never
imported by a start, and only from here. It is an extra (`ai`): everything else works without it.
"""

import gc
import importlib
import logging
import os
import sys
import threading
from typing import Any

from core.errors import AiNotConfigured

log = logging.getLogger(__name__)

OFFLINE = {  # each is honoured by some of the supported versions only
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_OFFLINE_MODE": "true",
}
LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
INSTALL = "install the extra `ai`: pip install 'orchestrator[ai]'"

WARM_AFTER_SECONDS = 1.0

_lock = threading.Lock()


def load_library() -> Any:
    """Return the library, importing it the first time; blocks for seconds then.

    Raises AiNotConfigured when it is not installed.
    """
    with _lock:  # two threads that import one package at once see half of it
        for name, value in OFFLINE.items():
            os.environ.setdefault(name, value)
        is_new = "litellm" not in sys.modules
        try:
            library: Any = importlib.import_module("litellm")
        except ImportError as error:
            raise AiNotConfigured(
                "AI_PROVIDER is set, but the library that speaks to models is not here.", hint=INSTALL
            ) from error
        library.suppress_debug_info = True
        for logger in LOGGERS:
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        if is_new:
            gc.freeze()  # a pass of the collector that looks at all of it holds up every answer for a tenth of a second
        return library


def warm_library() -> None:
    """Load the library in the background, so that the first question need not wait for it.

    A moment later, because importing holds the interpreter's lock most of the time, and those who wait for the start come first.
    """
    timer = threading.Timer(WARM_AFTER_SECONDS, _warm)
    timer.daemon = True
    timer.start()


def _warm() -> None:
    try:
        load_library()
    except AiNotConfigured as error:
        log.warning("%s %s", error.message, INSTALL)
