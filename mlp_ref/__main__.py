"""``python -m mlp_ref`` is ``mlp-ref``."""

from mlp_ref.cli import main

raise SystemExit(main())
