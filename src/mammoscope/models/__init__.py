"""ModelConfig -> nn.Module. timm's registry is the model registry: a backbone is added by a YAML file."""
