"""What runs in the background over the use cases: loaded models, workers, periodic tasks."""
