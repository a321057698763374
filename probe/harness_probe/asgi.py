"""The `app` that servers import in place of the one under test."""

from __future__ import annotations

import os

from .loading import loaded
from .settings import Settings
from .worker import Worker
from .wrapper import Wrapped

_settings = Settings.of(os.environ)
app = Wrapped(loaded(_settings.app, _settings.app_dir), Worker(_settings))
