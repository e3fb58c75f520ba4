"""What carries a model's distinction of the classes: the class gap, split and put to the model."""
