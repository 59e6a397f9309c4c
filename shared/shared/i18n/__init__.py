"""Chinese and English, from the catalogues in `<package>/translations/`; the words in the code are English.

language    which language a request wants, and how that language writes times, durations and numbers
catalogues  .po files: loading without a compile step, extraction, what is missing or stale

`python -m shared.i18n <package folder>…` brings the catalogues up to date with the code.
"""

from shared.i18n.language import (
    LANGUAGES,
    N_,
    ZONE,
    Language,
    day_of,
    explain,
    gettext,
    negotiate,
    ngettext,
    speaking,
)

__all__ = [
    "LANGUAGES",
    "N_",
    "ZONE",
    "Language",
    "day_of",
    "explain",
    "gettext",
    "negotiate",
    "ngettext",
    "speaking",
]
