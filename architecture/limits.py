"""Which names, sizes and numbers Google accepts; the checks and the editors' schema share them."""

from __future__ import annotations

import re
from typing import Final

ARCHITECTURE_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,52}")
DATAFLOW_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}")
PROJECT_ID: Final = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
REGION: Final = re.compile(r"[a-z]+-[a-z]+[0-9]+")
SERVICE_NAME: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,47}[a-z0-9])?")
ACCOUNT: Final = re.compile(
    r"[a-z][a-z0-9-]{4,28}[a-z0-9]|[a-z0-9][a-z0-9-]{0,62}@[a-z0-9.-]+\.gserviceaccount\.com"
)
SECRET_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MESSAGING_NAME: Final = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
DATASET_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,1024}")
TABLE_NAME: Final = re.compile(r"[\w -]{1,1024}")
BUCKET_NAME: Final = re.compile(r"(?!goog)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
IP_ADDRESS: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
GOOGLE_LIKE: Final = re.compile(r"g[o0]{2}g[l1]e")
LOCATION: Final = re.compile(
    r"[a-z]+-[a-z]+[0-9]+|us|eu|asia|nam[0-9]+|eur[0-9]+|asia[0-9]+", re.IGNORECASE
)
DATABASE_NAME: Final = re.compile(r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]")
JOB_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,500}")

CPU: Final = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,3})?|[0-9]{2,5}m")
MEMORY: Final = re.compile(r"[1-9][0-9]{0,5}(?:\.[0-9]+)?(?:Ki|Mi|Gi|k|M|G)")
ROLE: Final = re.compile(
    r"roles/[A-Za-z0-9._]+|(?:projects|organizations)/[^/]+/roles/[A-Za-z0-9._]+"
)
SECRET_VERSION: Final = re.compile(r"[1-9][0-9]{0,9}")

ACK_DEADLINE_S: Final = (10, 600)
DELIVERY_ATTEMPTS: Final = (5, 100)
AGE_IN_DAYS: Final = (0, 36_500)
PORT: Final = (1, 65_535)
MIN_INSTANCES: Final = (0, 1000)
MAX_INSTANCES: Final = (1, 1000)
