"""The only door to MLflow's registry: which model is version what of which name."""

import mammoscope.tracking  # noqa: F401  (settles MLflow's environment, which must come before `import mlflow`)
