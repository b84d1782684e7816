"""PyTorch as subjects: on one device, and as one network in several processes."""
