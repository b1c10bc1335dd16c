"""Background tasks over the use cases: loaded models, workers, periodic tasks."""
