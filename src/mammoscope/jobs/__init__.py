"""The conductors: they alone know every folder."""

import mammoscope.tracking  # noqa: F401  (settles MLflow's environment, which must come before `import mlflow`)
