"""TensorFlow's names of the devices that a net may be fitted on."""

CPU, GPU = "/CPU:0", "/GPU:0"
